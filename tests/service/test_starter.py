"""What the pool makes of a start that the hub refuses."""

from labpool.domain.tickets import END_REASONS, State
from labpool.service import starter


def test_granted_ticket_may_end_with_each_reason_that_makes_further_tries_useless():
    assert set(starter._FINAL.values()) <= END_REASONS[State.GRANTED]
