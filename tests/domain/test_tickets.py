"""The ways of a ticket, read off the transition table: each step in it, and no other."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.tickets import (
    END_REASONS,
    HOLDING,
    OPEN,
    TRANSITIONS,
    EndReason,
    Event,
    IllegalTransition,
    State,
    Ticket,
)

from tests.domain.lab import HOUR, at, ticket


def in_state(state: State) -> Ticket:
    return replace(ticket("train"), state=state)


def reason_for(state: State, event: Event) -> EndReason | None:
    return min(END_REASONS[state], key=lambda r: r.value) if event is Event.END and END_REASONS[state] else None


# A set's order differs from process to process, and tests that run side by side must be collected in the same one.
OPEN_STATES = sorted(OPEN, key=lambda s: s.value)


@pytest.mark.parametrize(("step", "to"), TRANSITIONS.items(), ids=lambda v: str(getattr(v, "value", v)))
def test_each_step_of_the_table_is_taken_and_dated(step: tuple[State, Event], to: State):
    state, event = step
    after = in_state(state).after(event, at(1), reason_for(state, event))
    assert (after.state, after.changed_at) == (to, at(1))


@pytest.mark.parametrize(("state", "event"), [s for s in product(State, Event) if s not in TRANSITIONS])
def test_each_step_that_is_not_in_the_table_is_refused(state: State, event: Event):
    with pytest.raises(IllegalTransition, match="cannot happen to it now"):
        in_state(state).after(event, at(1), reason_for(state, event))


@pytest.mark.parametrize(
    ("state", "reason"), [(s, r) for s in OPEN_STATES for r in EndReason if r not in END_REASONS[s]]
)
def test_a_ticket_ends_only_with_a_reason_that_belongs_to_its_state(state: State, reason: EndReason):
    with pytest.raises(IllegalTransition, match="cannot end"):
        in_state(state).after(Event.END, at(1), reason)


@pytest.mark.parametrize(("state", "reason"), [(s, r) for s in OPEN_STATES for r in EndReason if r in END_REASONS[s]])
def test_an_ended_ticket_says_why(state: State, reason: EndReason):
    assert in_state(state).after(Event.END, at(1), reason).end_reason is reason


@pytest.mark.parametrize("state", OPEN_STATES)
def test_a_ticket_never_ends_without_a_reason(state: State):
    with pytest.raises(IllegalTransition, match="no reason"):
        in_state(state).after(Event.END, at(1))


def test_a_step_that_ends_nothing_takes_no_reason():
    with pytest.raises(IllegalTransition):
        in_state(State.QUEUED).after(Event.GRANT, at(1), EndReason.STOPPED)


def test_every_state_but_ended_can_be_left():
    assert {state for state, _ in TRANSITIONS} == OPEN
    assert HOLDING < OPEN


def test_an_unclaimed_ticket_waits_for_ready_without_a_promise():
    granted = replace(in_state(State.GRANTED), starts_by=at(1))
    back = granted.after(Event.UNCLAIMED, at(2))
    assert (back.state, back.ready, back.unclaimed, back.starts_by) == (State.QUEUED, False, 1, None)


def test_a_requeued_ticket_counts_its_attempt_and_keeps_its_place():
    back = replace(in_state(State.RUNNING), starts_by=at(1)).requeued(at(2), HOUR)
    assert (back.attempt, back.starts_by, back.ready, back.duration) == (2, None, True, HOUR)
    assert back.in_line_since == ticket("train").requested_at


def test_ready_again_stands_at_the_end_of_the_line():
    back = in_state(State.GRANTED).after(Event.UNCLAIMED, at(2)).said_ready(at(3))
    assert back.ready
    assert back.in_line_since == at(3)


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.ENDED])
def test_only_a_ticket_that_waits_for_ready_can_be_made_ready(state: State):
    with pytest.raises(IllegalTransition, match="does not wait"):
        in_state(state).said_ready(at(1))


@given(st.lists(st.tuples(st.sampled_from(Event), st.sampled_from([None, *EndReason])), max_size=12))
def test_no_sequence_of_events_brings_an_ended_ticket_back(events: list[tuple[Event, EndReason | None]]):
    now = in_state(State.QUEUED)
    for event, reason in events:
        try:
            after = now.after(event, at(1), reason)
        except IllegalTransition:
            continue
        assert now.state is not State.ENDED
        assert (after.state is State.ENDED) == (after.end_reason is not None)
        now = after


def test_a_ticket_that_stepped_behind_another_stands_just_after_it_without_a_promise():
    first, second = replace(ticket("first", asked=0), starts_by=at(3)), ticket("second", asked=1)
    moved = first.behind(second)
    assert second.in_line_since < moved.in_line_since < at(1.001)
    assert (moved.starts_by, moved.requested_at) == (None, first.requested_at)
