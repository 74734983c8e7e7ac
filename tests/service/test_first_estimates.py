"""Who comes in line is told when they will likely start a moment later, and what they were told first is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from labpool.service.first_estimates import FirstEstimates

from tests.real_hub import wait_until
from tests.service.lab import Lab

NewUser = Callable[[], str]


def kept(lab: Lab, ticket: str) -> object:
    found = lab.pool.call(lab.pool.parts.desk.find(ticket))
    assert found is not None
    return found.likely_start


def test_first_estimate_follows_the_answer_and_stays(lab: Lab, new_user: NewUser):
    lab.running(new_user(), "gpu-4", hours=4)
    ticket = str(lab.pool.ask(new_user()).json()["ticket"])
    wait_until(lambda: kept(lab, ticket) is not None, "the first estimate")
    first = kept(lab, ticket)
    assert lab.pool.ticket(ticket).likely_start is not None
    lab.pool.pass_time(timedelta(minutes=30))
    lab.pool.call(FirstEstimates(lab.pool.parts.desk).look())
    assert kept(lab, ticket) == first


def test_pool_that_starts_anew_makes_the_estimates_that_it_owes(lab: Lab, new_user: NewUser):
    lab.running(new_user(), "gpu-4", hours=4)
    ticket = str(lab.pool.ask(new_user()).json()["ticket"])
    lab.pool.stop()
    lab.pool.start()
    wait_until(lambda: kept(lab, ticket) is not None, "the first estimate")
