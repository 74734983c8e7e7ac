"""Who comes in line is told when they will likely start a moment later, and what they were told first is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from labpool.domain.tickets import Event
from labpool.domain.world import World
from labpool.service.first_estimates import FirstEstimates
from labpool.service.likely_starts import LikelyStarts

from tests.domain.lab import at, catalogue, inventory, lease, ticket
from tests.real_hub import wait_until
from tests.service.lab import Lab

NewUser = Callable[[], str]


def kept(lab: Lab, asked: str) -> object:
    found = lab.pool.call(lab.pool.parts.desk.find(asked))
    assert found is not None
    return found.likely_start


def test_first_estimate_follows_the_answer_and_stays(lab: Lab, new_user: NewUser):
    lab.running(new_user(), "gpu-4", hours=4)
    asked = str(lab.pool.ask(new_user()).json()["ticket"])
    wait_until(lambda: kept(lab, asked) is not None, "the first estimate")
    first = kept(lab, asked)
    assert lab.pool.ticket(asked).likely_start is not None
    lab.pool.pass_time(timedelta(minutes=30))
    lab.pool.call(FirstEstimates(lab.pool.parts.desk).look())
    assert kept(lab, asked) == first


def test_pool_that_starts_anew_makes_the_estimates_that_it_owes(lab: Lab, new_user: NewUser):
    lab.running(new_user(), "gpu-4", hours=4)
    asked = str(lab.pool.ask(new_user()).json()["ticket"])
    lab.pool.stop()
    lab.pool.start()
    wait_until(lambda: kept(lab, asked) is not None, "the first estimate")


def test_what_is_known_is_told_of_who_waits_and_for_some_seconds_only():
    waiting, likely = ticket("next"), LikelyStarts()
    world = World(inventory({"n1": 1}), catalogue(), (waiting,), (lease("busy", "n1-0", until=2),))
    assert likely.known(waiting, at(0)) is None
    told = likely.of(waiting, world, [], at(0))
    assert (told is not None, likely.known(waiting, at(0))) == (True, told)
    assert likely.known(waiting.after(Event.GRANT, at(0)), at(0)) is None
    assert likely.known(waiting, at(0) + timedelta(seconds=6)) is None
