"""Two real pool processes on one database: one decides, the other takes its place."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import httpx
import pytest
from labpool.domain.leases import Lease
from labpool.service import leading as service_leading
from labpool.service.leading import Leading
from labpool.service.reconciler import Reconciler
from labpool.store import Leadership, Seat, Store, connect, leadership
from sqlalchemy.engine import Connection

from tests.ports import free_ports
from tests.postgres import RunningPostgres
from tests.real_hub import NAVIGATION, wait_until
from tests.service.pool_process import PoolProcess
from tests.service.severed import Link, severable_postgres

pytestmark = [pytest.mark.long, pytest.mark.once]
Two = tuple[PoolProcess, PoolProcess]


@pytest.fixture
def two(database_url: str, tmp_path: Path) -> Iterator[Two]:
    """A leader, and one that stands by."""
    first, second = (PoolProcess(tmp_path, port, database_url) for port in free_ports(2))
    try:
        first.start()
        second.start()
        yield first, second
    finally:
        first.end()
        second.end()


@pytest.fixture
def severed() -> Iterator[tuple[RunningPostgres, Link, Link]]:
    with severable_postgres() as parts:
        yield parts


def leases_in(url: str) -> tuple[Lease, ...]:
    store = Store(connect(url))
    with store.view() as view:
        leases, granted = view.live_leases(), [each.ticket for each in view.audit_trail() if each.event == "granted"]
    store.close()
    devices = [device for lease in leases for device in lease.devices]
    assert len(devices) == len(set(devices)), "a device is leased twice"
    assert len(granted) == len(set(granted)), "a ticket was granted twice"
    return leases


def test_stand_by_answers_nothing_but_who_leads(two: Two):
    leader, other = two
    assert (leader.role(), leader.leads()) == ("leader", True)
    assert (other.role(), other.leads()) == ("stand-by", False)
    answer = other.get("/api/v1/users/ada/home")
    assert (answer.status_code, answer.json()["reason"]) == (503, "stands_by")
    assert int(answer.headers["Retry-After"]) > 0
    assert f":{leader.port}, process {leader.process.pid}" in answer.json()["detail"]
    page = httpx.get(f"{other.url}/", headers=NAVIGATION, trust_env=False)
    assert (page.status_code, "Another one decides" in page.text) == (503, True)


def test_killed_leader_is_replaced_and_nothing_that_it_answered_is_lost(two: Two, database_url: str):
    leader, other = two
    granted, waiting = leader.ask("ada", "gpu-4"), leader.ask("bert")
    assert (granted.status_code, waiting.status_code) == (200, 202)
    leader.end()
    wait_until(other.leads, "the other one's lead")
    (ticket,) = other.home("ada").tickets
    assert ticket.lease is not None
    assert ticket.lease.devices == tuple(device["id"] for device in granted.json()["devices"])
    assert other.ask("ada", "gpu-4").json()["ticket"] == granted.json()["ticket"]
    assert [each.id for each in other.home("bert").tickets] == [waiting.json()["ticket"]]
    assert other.ask("eve").status_code == 202
    assert len(leases_in(database_url)) == 1
    leader.start()
    assert leader.role() == "stand-by"


def test_leader_that_is_told_to_stop_is_followed_at_once(two: Two, database_url: str):
    leader, other = two
    other.send(signal.SIGSTOP)
    leader.send(signal.SIGTERM)
    leader.process.wait(60)
    engine = connect(database_url)
    follower = leadership(engine, "the test")
    assert follower.seek().leads  # a killed one's time would not be up yet
    follower.give_up()
    engine.dispose()
    other.send(signal.SIGCONT)
    wait_until(other.leads, "the other one's lead")


class Asked(Leadership):
    """Stands in for a database: gives the lead at once, and counts the signs of life."""

    signs_of_life = 0

    def seek(self) -> Seat:
        self.signs_of_life += 1
        return Seat(True, "this one")

    def check(self, connection: Connection) -> None:
        """It leads."""

    def give_up(self) -> None:
        """Nobody follows."""


class SlowToBegin:
    """Stands in for a reconciler: is not done with its beginning before the pool has given three signs of life."""

    def __init__(self, part: Asked) -> None:
        self._part = part

    async def begin(self) -> None:
        while self._part.signs_of_life < 3:
            await asyncio.sleep(0)

    async def run(self) -> None:
        await asyncio.Event().wait()


async def test_leader_shows_that_it_lives_also_while_it_begins(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service_leading, "_SEEK_SECONDS", 0.001)
    part = Asked()
    leading = Leading(part, cast(Reconciler, SlowToBegin(part)), (), end=lambda: None)
    await asyncio.wait_for(leading.start(), 30)
    assert leading.leads
    await leading.stop()


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_paused_leader_is_replaced_and_does_nothing_once_it_goes_on(two: Two, database_url: str):
    leader, other = two
    granted = leader.ask("ada")
    leader.send(signal.SIGSTOP)
    wait_until(other.leads, "the other one's lead")
    devices = {device["id"] for user in ("bert", "eve", "lin") for device in other.ask(user).json()["devices"]}
    assert devices.isdisjoint(device["id"] for device in granted.json()["devices"])
    before = leases_in(database_url)
    assert len(before) == 4
    leader.send(signal.SIGCONT)
    with suppress(httpx.TransportError):  # it may be gone already
        assert leader.ask("mia").status_code in {202, 503}  # taken down for the other one, or not
    leader.process.wait(60)
    assert leases_in(database_url) == before
    leader.start()
    assert (leader.role(), other.role()) == ("stand-by", "leader")


@pytest.mark.postgresql
@pytest.mark.root
def test_leader_whose_packets_are_lost_is_replaced_and_grants_nothing(
    severed: tuple[RunningPostgres, Link, Link], tmp_path: Path
):
    server, cut, whole = severed
    url = server.new_database()
    leader, other = (PoolProcess(tmp_path, port, url) for port in free_ports(2))
    leader.database = url.replace(whole.there, cut.there)
    try:
        leader.start()
        other.start()
        assert (leader.role(), other.role()) == ("leader", "stand-by")
        granted = leader.ask("ada", "gpu-4")
        cut.lose_everything()
        wait_until(other.leads, "the other one's lead")
        assert leader.ask("bert").status_code == 503
        assert other.ask("bert").status_code == 202
        assert other.ask("ada", "gpu-4").json()["ticket"] == granted.json()["ticket"]
        cut.mend()
        leader.process.wait(60)
        assert len(leases_in(url)) == 1
    finally:
        leader.end()
        other.end()
