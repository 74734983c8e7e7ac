"""Borrowed GPUs go back to their owner: with notice, in time, and without losing anybody's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from labpool.api_models import TicketView
from labpool.service.starting_again import wish_to_start_again

from tests.real_hub import wait_until
from tests.service.lab import Lab
from tests.service.running_pool import POOL_YAML, server_path

pytestmark = pytest.mark.once
NewUser = Callable[[], str]
LENT = """
  vision:
    title: Vision group
    members: {everyone: true}
    nominal: {demo-gpu: 0}
    borrow: {demo-gpu: 4}
    profiles: [cpu, gpu-1, gpu-4]
  speech:
    title: Speech group
    members: {everyone: true}
    nominal: {demo-gpu: 4}
    profiles: [gpu-1, gpu-4]
queue:"""


ONE_OWN = """
  vision:
    title: Vision group
    members: {everyone: true}
    nominal: {demo-gpu: 1}
    borrow: {demo-gpu: 3}
    profiles: [gpu-1]
  speech:
    title: Speech group
    members: {everyone: true}
    nominal: {demo-gpu: 3}
    profiles: [gpu-3]
queue:"""
THREE = "  gpu-3: {title: Three GPUs, flavour: demo-gpu, gpus: 3, cpu: 4, memory_gib: 8, max_hours: 8}\nprojects:"


def with_projects(lab: Lab, projects: str) -> Iterator[Lab]:
    path = lab.pool.folder / "pool.yaml"
    before, after = POOL_YAML.index("\n  vision:"), POOL_YAML.index("queue:") + len("queue:")
    path.write_text((POOL_YAML[:before] + projects + POOL_YAML[after:]).replace("projects:", THREE))
    wait_until(lambda: "speech" in lab.pool.parts.desk.catalogue.projects, "the new rules")
    yield lab
    path.write_text(POOL_YAML)
    wait_until(lambda: "speech" not in lab.pool.parts.desk.catalogue.projects, "the old rules")


@pytest.fixture
def lent(lab: Lab) -> Iterator[Lab]:
    """All four GPUs belong to Speech, and Vision may borrow them."""
    yield from with_projects(lab, LENT)


@pytest.fixture
def one_own(lab: Lab) -> Iterator[Lab]:
    """One of four GPUs belongs to Vision, and it may borrow Speech's three."""
    yield from with_projects(lab, ONE_OWN)


def ask_as_owner(lab: Lab, user: str, profile: str = "gpu-4") -> TicketView:
    options = {"user_options": {"project": "speech", "profile": profile, "hours": 1}}
    assert lab.hub.api("POST", server_path(user), options).status_code == 503
    return lab.ticket_of(user)


def taken(lab: Lab, borrower: str, owner: str) -> tuple[TicketView, TicketView]:
    """A running server that is being taken back, and the ticket of the owner who asked."""
    lent_out = lab.running(borrower, "gpu-4", hours=4)
    lab.pool.pass_time(timedelta(minutes=31))
    asks = ask_as_owner(lab, owner)
    assert lab.pool.ticket(lent_out.id).state == "running"
    lab.pool.pass_time(timedelta(minutes=5, seconds=1))
    return lab.until(lent_out, "reclaiming"), asks


def test_borrower_is_told_and_stopped_and_is_in_line_again_when_the_owner_starts(lent: Lab, new_user: NewUser):
    borrower, owner = new_user(), new_user()
    told, asks = taken(lent, borrower, owner)
    assert told.notice is not None
    assert (told.notice.kind, told.notice.ends_at) == ("taken_back", told.lease and told.lease.ends)
    assert "Save your work" in told.notice.message
    planned = lent.pool.ticket(asks.id)
    assert planned.planned_start is not None
    assert planned.starts_by is not None
    assert planned.planned_start < planned.starts_by
    lent.pool.pass_time(timedelta(minutes=9, seconds=1))  # the server is asked to stop a minute before its end
    lent.until(told, "queued")
    lent.pool.pass_time(timedelta(minutes=2, seconds=1))
    assert lent.until_ready(owner).id == asks.id
    again = lent.pool.ticket(told.id)
    assert (again.state, again.attempt, again.no_promise != "") == ("queued", 2, True)
    assert (again.notice and again.notice.kind) == "requeued"
    assert again.hours == pytest.approx(4 - (31 + 5 + 10) / 60, abs=0.05)
    assert lent.pool.trail(told.id)[-3:] == ["taken_back", "stopping", "requeued"]
    lent.stop(owner)
    assert lent.until_ready(borrower).id == told.id


def test_borrower_who_does_not_want_to_start_again_is_not_in_line(lent: Lab, new_user: NewUser):
    borrower, owner = new_user(), new_user()
    told, _ = taken(lent, borrower, owner)
    assert told.starts_again
    lent.pool.call(wish_to_start_again(lent.pool.parts.desk, told.id, False, borrower))
    lent.pool.pass_time(timedelta(minutes=9, seconds=1))
    lent.until(told, "ended", "preempted")


def test_borrower_who_stops_in_the_grace_has_just_stopped(lent: Lab, new_user: NewUser):
    borrower, owner = new_user(), new_user()
    told, asks = taken(lent, borrower, owner)
    lent.stop(borrower)
    lent.until(told, "ended", "stopped")
    assert lent.until_ready(owner).id == asks.id


def test_borrower_who_was_promised_a_place_falls_back_on_it(one_own: Lab, new_user: NewUser):
    ada, sam, lin, owner = (new_user() for _ in range(4))
    one_own.running(ada, hours=4)
    one_own.running(sam, "gpu-3", hours=4, project="speech")
    assert one_own.start(lin, hours=4).status_code == 503
    promise = one_own.ticket_of(lin).starts_by
    assert promise is not None
    one_own.stop(sam)
    early = one_own.until_ready(lin)
    one_own.use(early)
    assert one_own.pool.ticket(early.id).planned_start is None  # it has started
    one_own.pool.pass_time(timedelta(minutes=31))
    ask_as_owner(one_own, owner, "gpu-3")
    one_own.pool.pass_time(timedelta(minutes=5, seconds=1))
    one_own.until(early, "reclaiming")
    one_own.pool.pass_time(timedelta(minutes=9, seconds=1))
    one_own.until(early, "queued")
    again = one_own.pool.ticket(early.id)
    assert (again.starts_by, again.planned_start, again.attempt) == (promise, promise, 2)
    assert again.notice is not None
    assert "as you were promised" in again.notice.message
