"""Taking what could start now, over the pool's API."""

from __future__ import annotations

from collections.abc import Callable

from tests.real_hub import RealHub
from tests.service.running_pool import RunningPool
from tests.service.test_api import ACCESS, READ, WRITE, Program

NewUser = Callable[[], str]


def test_waiting_ticket_is_given_up_for_what_starts_now(pool: RunningPool, hub: RealHub, new_user: NewUser):
    holder, user = new_user(), new_user()
    pool.ask(holder)
    waiting = pool.ask(user, "gpu-4").json()["ticket"]
    (offer,) = (each for each in pool.ticket(waiting).sooner if each.profile == "gpu-1")
    program = Program(hub, user, [ACCESS, READ, WRITE])
    taken = program.post(f"/tickets/{waiting}/instead", {"profile": "gpu-1", "hours": offer.hours}).json()
    assert (taken["state"], taken["gpus"], taken["name"]) == ("granted", 1, "")
    assert (pool.ticket(waiting).state, pool.ticket(waiting).end_reason) == ("ended", "cancelled")


def test_what_cannot_start_now_is_refused_and_the_ticket_keeps_its_place(
    pool: RunningPool, hub: RealHub, new_user: NewUser
):
    user = new_user()
    pool.ask(new_user(), "gpu-4")
    waiting = pool.ask(user, "gpu-4").json()["ticket"]
    program = Program(hub, user, [ACCESS, READ, WRITE])
    for profile in ("gpu-1", "cpu", "none"):
        answer = program.post(f"/tickets/{waiting}/instead", {"profile": profile, "hours": 1})
        assert (answer.status_code, answer.json()["reason"]) == (409, "not_now")
    assert program.post(f"/tickets/{waiting}/instead", {"profile": "gpu-1", "hours": -1}).status_code == 422
    assert pool.ticket(waiting).place == 1


def test_somebody_elses_ticket_cannot_be_taken(pool: RunningPool, hub: RealHub, new_user: NewUser):
    pool.ask(new_user())
    waiting = pool.ask(new_user(), "gpu-4").json()["ticket"]
    stranger = Program(hub, new_user(), [ACCESS, READ, WRITE])
    assert stranger.post(f"/tickets/{waiting}/instead", {"profile": "gpu-1", "hours": 1}).status_code == 404
