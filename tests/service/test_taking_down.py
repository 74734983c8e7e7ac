"""Requests to a pool that stands by: two real pool processes on one database, and one whose callers a hub knows."""

from __future__ import annotations

import asyncio
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import httpx
import pytest
from labpool.client import PoolClient, PoolUnavailable, SyncPoolClient
from labpool.hub_signin import SignedIn
from labpool.service.callers import Caller, TheSpawner, from_store, to_store
from labpool.store import Answer, Entry, Inbox, NotLeading, connect, leadership, migrate
from sqlalchemy.exc import OperationalError

from tests.real_hub import wait_until
from tests.service.lab import Lab
from tests.service.pool_process import PoolProcess
from tests.service.test_leading import Two, leases_in, two
from tests.waits import wait_for

__all__ = ["two"]
pytestmark = pytest.mark.once
NewUser = Callable[[], str]
ASKED = '{"project": "vision", "profile": "gpu-1", "hours": 1}'
MAY = frozenset({"custom:labpool:write", "custom:labpool:read", "access:services"})


def look(pool: PoolProcess, queued: httpx.Response, token: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token or pool.spawner_token}"}
    address = pool.url.removesuffix("/services/pool") + queued.headers["Location"]
    return httpx.get(address, headers=headers, timeout=30, trust_env=False)


def answer_of(pool: PoolProcess, *asked: str) -> httpx.Response:
    """The leader's answer in the call itself; asked again where a busy leader took longer than the second it has."""

    def ask() -> httpx.Response | None:
        answer = pool.ask(*asked)
        return None if answer.json().get("outcome") == "queued" else answer

    return wait_for(ask, "the leader's answer in the call itself")


def stall(leader: PoolProcess, url: str) -> None:
    """Stop it where it is in no transaction, or nobody could write."""
    engine = connect(url)

    def writable() -> bool:
        leader.send(signal.SIGSTOP)
        try:
            with engine.begin():
                return True
        except OperationalError:
            leader.send(signal.SIGCONT)
            return False

    wait_until(writable, "a stop in between transactions", 60)
    engine.dispose()


def put(lab: Lab, caller: Caller, method: str, path: str, body: str = "", age: timedelta = timedelta(0)) -> str:
    """Take a request down as another process does that has made sure of its caller."""
    name = caller.name if isinstance(caller, SignedIn) else ""
    entry = Entry(
        secrets.token_hex(16), name, to_store(caller), method, f"/services/pool/api/v1{path}",
        {"content-type": "application/json"}, body, lab.pool.clock() - age,
    )  # fmt: skip
    lab.pool.parts.inbox.put(entry)
    return entry.id


def answer_to(lab: Lab, entry: str) -> Answer:
    def answer() -> Answer | None:
        found = lab.pool.parts.inbox.find(entry)
        return found[1] if found else None

    wait_until(lambda: answer() is not None, "the leader's answer")
    found = answer()
    assert found is not None
    return found


@contextmanager
def led_by_the_test(two: Two, database: str) -> Iterator[None]:
    """The leader is killed, and for as long as the block lasts nobody answers in its place: the test itself leads."""
    leader, other = two
    other.send(signal.SIGSTOP)
    leader.end()
    engine, over = connect(database), threading.Event()
    ours = leadership(engine, "the test")
    wait_until(lambda: ours.seek().leads, "the test's turn to lead")

    def lead_on() -> None:
        while not over.wait(1):
            ours.seek()

    leading = threading.Thread(target=lead_on)
    leading.start()
    other.send(signal.SIGCONT)
    try:
        yield
    finally:
        over.set()
        leading.join()
        ours.give_up()
        engine.dispose()


@pytest.mark.long
def test_stand_by_gives_the_leaders_answer(two: Two, database_url: str):
    leader, other = two
    granted = answer_of(other, "ada", "gpu-4")
    assert (granted.status_code, granted.json()["outcome"]) == (200, "lease")
    assert granted.json() == leader.ask("ada", "gpu-4").json()
    waiting = answer_of(other, "bert")
    assert (waiting.status_code, waiting.json()["outcome"]) == (202, "waiting")
    assert answer_of(other, "eve", "no-such").status_code == 422
    assert len(leases_in(database_url)) == 1


@pytest.mark.long
def test_without_a_leader_a_request_is_queued_and_carried_out_once_by_the_next(two: Two, database_url: str):
    _, other = two
    with led_by_the_test(two, database_url):
        queued = other.ask("ada")
    assert (queued.status_code, queued.json()["outcome"]) == (202, "queued")
    assert look(other, queued, "somebody-elses-token").status_code in {401, 503}
    wait_until(lambda: look(other, queued).status_code == 200, "the next leader's answer")
    assert look(other, queued).json() == other.ask("ada").json()
    assert len(leases_in(database_url)) == 1


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_answer_does_not_wait_for_a_leader_that_stalls(two: Two, database_url: str):
    leader, other = two
    stall(leader, database_url)
    queued = other.ask("ada")
    assert (queued.status_code, queued.json()["outcome"]) == (202, "queued")
    assert f"process {leader.process.pid}" in other.get("/healthz").json()["leader"]  # it stalls still, and leads
    leader.send(signal.SIGCONT)
    wait_until(lambda: look(other, queued).status_code == 200, "the leader's answer")


@pytest.mark.long
@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_leader_that_hangs_keeps_nobody_from_being_taken_down(two: Two):
    leader, other = two
    leader.send(signal.SIGSTOP)
    queued = other.ask("ada")
    assert (queued.status_code, queued.json()["outcome"]) == (202, "queued")
    wait_until(lambda: look(other, queued).status_code == 200, "the next leader's answer")


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_client_waits_for_the_answer_as_long_as_its_timeout(two: Two, database_url: str):
    _, other = two

    async def impatient() -> None:
        async with PoolClient(other.url, other.spawner_token, timeout=5) as client:
            await client.apply(other.asked("bert"))

    with led_by_the_test(two, database_url), pytest.raises(PoolUnavailable, match="Your request is kept"):
        asyncio.run(impatient())
    with SyncPoolClient(other.url, other.spawner_token, timeout=30) as client:
        assert client.apply(other.asked("ada")).outcome == "lease"


def test_people_are_who_the_other_pool_says_with_what_they_may(lab: Lab, new_user: NewUser):
    user = new_user()
    person = SignedIn(user, frozenset({"researchers"}), False, MAY)
    made = answer_to(lab, put(lab, person, "POST", "/tickets", ASKED))
    assert (made.status, [each.project for each in lab.pool.tickets(user)]) == (201, ["vision"])
    ticket = lab.ticket_of(user).id
    stranger = replace(person, name=new_user())
    assert answer_to(lab, put(lab, stranger, "POST", f"/tickets/{ticket}/end")).status == 404
    reader = replace(person, scopes=frozenset({"custom:labpool:read"}))
    assert answer_to(lab, put(lab, reader, "POST", f"/tickets/{ticket}/end")).status == 403
    assert answer_to(lab, put(lab, person, "POST", "/drains", '{"node": "demo", "why": "x"}')).status == 403
    assert answer_to(lab, put(lab, person, "POST", "/tickets", "{")).status == 422
    assert answer_to(lab, put(lab, person, "POST", "/spawns", "{}")).status == 401
    assert answer_to(lab, put(lab, TheSpawner(), "POST", "/tickets", ASKED)).status == 401


def test_what_waited_too_long_is_not_done(lab: Lab, new_user: NewUser):
    user = new_user()
    person = SignedIn(user, frozenset({"researchers"}), False, MAY)
    late = answer_to(lab, put(lab, person, "POST", "/tickets", ASKED, age=timedelta(minutes=11)))
    assert (late.status, "was not done" in late.body) == (503, True)
    assert lab.pool.tickets(user) == ()


def test_caller_is_the_same_after_being_kept():
    person = SignedIn("ada", frozenset({"a", "b"}), True, frozenset({"x"}))
    service = SignedIn("grader", frozenset(), False, frozenset({"x"}), "service")
    for caller in (person, service):
        assert from_store(caller.name, to_store(caller)) == caller
    assert from_store("", to_store(TheSpawner())) == TheSpawner()


def test_what_an_earlier_leader_took_is_never_given_again(database_url: str):
    engine = connect(database_url)
    migrate(engine)
    part = leadership(engine, "first")
    inbox, now = Inbox(engine, part), datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
    entry = Entry("1" * 32, "ada", to_store(TheSpawner()), "POST", "/x", {}, "", now)
    inbox.put(entry)
    with pytest.raises(NotLeading):
        inbox.take(now)
    assert part.seek().leads
    assert (inbox.waiting(), inbox.take(now), inbox.waiting(), inbox.take(now)) == (True, (entry,), False, ())
    unknown = Answer(503, {"Retry-After": "1"}, "Nobody knows")
    inbox.answer_left_behind(unknown, now)
    assert inbox.find(entry.id) == (entry, unknown)
    inbox.forget(now + timedelta(seconds=1))
    assert inbox.find(entry.id) is None
    part.give_up()
    engine.dispose()
