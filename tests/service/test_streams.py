"""What programs follow over the API: one ticket, and all that they are told; nothing is left out or told twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import pytest
from labpool.api_models import DrainAsked, ServerAsked, TicketView, ToldNotice
from labpool.client import PoolClient, PoolUnavailable, SyncPoolClient

from tests.real_hub import wait_until
from tests.service.actors import ACCESS, READ, WRITE, Robotics, robotics_of
from tests.service.lab import Lab

NewUser = Callable[[], str]
Told = TypeVar("Told")


@pytest.fixture
def robotics(lab: Lab, new_user: NewUser) -> Iterator[Robotics]:
    with robotics_of(lab, new_user) as found:
        yield found


@contextmanager
def client_of(lab: Lab, user: str) -> Iterator[SyncPoolClient]:
    token = lab.hub.token_for(user, [ACCESS, READ, WRITE]) if user else lab.hub.admin_token
    with SyncPoolClient(lab.pool.url, token, timeout=30) as client:
        yield client


def follow(stream: Iterator[Told]) -> list[Told]:
    """What came of a stream so far, read beside the test."""
    found: list[Told] = []

    def read() -> None:
        with suppress(PoolUnavailable):
            for each in stream:
                found.append(each)  # noqa: PERF402 (one by one: the test looks meanwhile)

    threading.Thread(target=read, daemon=True).start()
    return found


def kinds(told: list[ToldNotice]) -> list[tuple[str, str]]:
    return [(each.ticket, each.kind) for each in told]


def first_granted(lab: Lab, user: str, told: list[ToldNotice]) -> str:
    """A ticket that is granted while its owner follows, so that the stream is known to be on."""
    ticket = str(lab.pool.ask(user, name="first").json()["ticket"])
    wait_until(lambda: kinds(told) == [(ticket, "granted")], "the first notice")
    return ticket


def test_two_tickets_granted_at_once_are_both_told_in_order(lab: Lab, new_user: NewUser):
    user = new_user()
    with client_of(lab, user) as client, client_of(lab, "") as admin:
        told = follow(client.notices())
        first = first_granted(lab, user, told)
        drain = admin.drain(DrainAsked(node="demo", why="New fans"))
        waiting = [
            client.ask(ServerAsked(project="vision", profile="gpu-1", hours=1, name=name)) for name in ("a", "b")
        ]
        assert {ticket.state for ticket in waiting} == {"queued"}
        admin.undrain(drain.id)
        granted = {(ticket.id, "granted") for ticket in waiting}
        wait_until(lambda: granted <= set(kinds(told)), "both notices")
        lab.pool.call(lab.pool.parts.reconciler.look())
        admin.end(first, "The power goes off")
        wait_until(lambda: (first, "ended_by_admin") in kinds(told), "the last notice")
        assert kinds(told)[0] == (first, "granted")
        assert (set(kinds(told)[1:3]), len(told)) == (granted, 4)
        assert [each.number for each in told] == sorted(each.number for each in told)


def test_notice_of_a_ticket_that_ended_with_it_is_told(lab: Lab, new_user: NewUser):
    user = new_user()
    with client_of(lab, user) as client, client_of(lab, "") as admin:
        told = follow(client.notices())
        ticket = first_granted(lab, user, told)
        lab.until_ready(user)
        admin.end(ticket, "The power goes off")
        wait_until(lambda: client.ticket(ticket).state == "ended", "the end")
        wait_until(lambda: len(told) == 2, "the notice of the end")
        assert (told[1].ticket, told[1].kind) == (ticket, "ended_by_admin")
        assert "The power goes off" in told[1].message


def test_stream_goes_on_after_the_last_notice_that_was_seen(lab: Lab, new_user: NewUser):
    user = new_user()
    with client_of(lab, user) as client, client_of(lab, "") as admin:
        told = follow(client.notices())
        ticket = first_granted(lab, user, told)
        lab.until_ready(user)
        admin.end(ticket, "The power goes off")
        wait_until(lambda: client.ticket(ticket).state == "ended", "the end")
        missed = next(client.notices(told[0].number))  # as somebody does whose stream broke off then
        assert (missed.ticket, missed.kind) == (ticket, "ended_by_admin")
        assert next(client.notices(0)).number == told[0].number


def test_ticket_is_followed_until_it_has_ended(robotics: Robotics, lab: Lab):
    lab.pool.ask(robotics.people["stranger"], "gpu-4")
    ticket = robotics.ticket().id
    with (
        SyncPoolClient(lab.pool.url, robotics.token("owner"), timeout=30) as owner,
        SyncPoolClient(lab.pool.url, robotics.token("holder"), timeout=30) as holder,
    ):
        stream = owner.events(ticket)
        first = next(stream)
        assert (first.id, first.state) == (ticket, "queued")
        holder.leave(ticket)
        *_, last = stream
        assert (last.state, last.end_reason) == ("ended", "cancelled")
        assert [view.state for view in holder.events(ticket)] == ["ended"]


def test_async_program_follows_a_ticket(robotics: Robotics, lab: Lab):
    lab.pool.ask(robotics.people["stranger"], "gpu-4")

    async def story() -> list[TicketView]:
        async with PoolClient(lab.pool.url, robotics.token("holder"), timeout=30) as client:
            ticket = await client.ask(ServerAsked(project="robotics", profile="gpu-1", hours=1))
            seen = []
            async for view in client.events(ticket.id):
                seen.append(view)
                if view.state == "queued" and len(seen) == 1:
                    await client.leave(ticket.id)
            return seen

    states = [view.state for view in asyncio.run(story())]
    assert (states[0], states[-1]) == ("queued", "ended")


def test_owner_who_is_one_no_more_sees_no_more(robotics: Robotics, lab: Lab):
    lab.pool.ask(robotics.people["stranger"], "gpu-4")
    ticket = robotics.ticket().id
    path = lab.pool.folder / "pool.yaml"
    with SyncPoolClient(lab.pool.url, robotics.token("owner"), timeout=30) as owner:
        stream = owner.events(ticket)
        assert next(stream).id == ticket
        path.write_text(path.read_text().replace(f"owners: {{users: [{robotics.people['owner']}]}}", ""))
        lab.pool.call(lab.pool.parts.reconciler.look())
        assert robotics.call("holder", "POST", f"/api/v1/tickets/{ticket}/leave").status_code == 200
        assert {view.state for view in stream} <= {"queued"}  # as far as it was on its way before
        assert lab.pool.ticket(ticket).state == "ended"
