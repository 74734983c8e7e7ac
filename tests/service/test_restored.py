"""A pool or a hub that was set back to an older database finds its way to one state with what really runs."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from labpool.domain.tickets import HOLDING
from labpool.settings import sqlite_url
from labpool.store import Store, connect, migrate, restore_backup, write_backup

from tests.conftest import DATABASES
from tests.real_hub import RealHub, wait_until
from tests.service.conftest import pool_on
from tests.service.lab import Lab
from tests.service.running_pool import RunningPool

pytestmark = [pytest.mark.hub, pytest.mark.long]
NewUser = Callable[[], str]


@pytest.fixture(scope="module", params=DATABASES)
def pool_and_hub(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningPool, RealHub]]:
    """A pool of this module's own: what it set back is not what was written down elsewhere of its trail."""
    with pool_on(request, tmp_path_factory) as both:
        yield both


class Asking(threading.Thread):
    """Requests that are granted or wait, and ends, one after another, until it is told to stop."""

    def __init__(self, lab: Lab) -> None:
        super().__init__()
        self.lab, self.stop, self.asked = lab, threading.Event(), 0

    def run(self) -> None:
        held: list[str] = []
        while not self.stop.is_set():
            answer = self.lab.pool.ask(f"user-{self.asked % 7}", name=f"b{self.asked}").json()
            held += [answer["ticket"]] if "ticket" in answer else []
            if self.asked % 2 and held:
                self.lab.pool.call(self.lab.pool.parts.desk.stopped(held.pop(0), "test"))
            self.asked += 1

    def go_on(self) -> None:
        """Wait until some more was asked."""
        before = self.asked
        wait_until(lambda: self.asked > before + 3, "more requests")


def test_backup_of_a_pool_that_is_granting_holds_one_consistent_moment(
    lab: Lab, tmp_path: Path, request: pytest.FixtureRequest
):
    asking = Asking(lab)
    asking.start()
    backups = [tmp_path / f"{number}.backup" for number in range(4)]
    try:
        for backup in backups:
            asking.go_on()
            write_backup(lab.pool.database_url, backup)
    finally:
        asking.stop.set()
        asking.join()
    sizes = [len(leases_in(backup, lab, tmp_path / backup.stem, request)) for backup in backups]
    assert max(sizes) > 0


def leases_in(backup: Path, lab: Lab, folder: Path, request: pytest.FixtureRequest) -> list[str]:
    """The devices leased in a backup, once it has been restored and looked at."""
    folder.mkdir()
    on_sqlite = lab.pool.database_url.startswith("sqlite")
    url = sqlite_url(folder / "pool.sqlite") if on_sqlite else request.getfixturevalue("postgres").new_database()
    restore_backup(url, backup)
    engine = connect(url)
    migrate(engine)
    store = Store(engine)
    with store.view() as view:
        leases, tickets = view.live_leases(), view.open_tickets()
        told = [entry for entry in view.audit_trail() if entry.event == "granted"]
    store.close()
    devices = [device for lease in leases for device in lease.devices]
    assert len(devices) == len(set(devices))
    assert {lease.ticket for lease in leases} == {ticket.id for ticket in tickets if ticket.state in HOLDING}
    assert {lease.ticket for lease in leases} <= {entry.ticket for entry in told}
    return devices


def test_servers_that_an_older_store_knows_nothing_of_are_ended_before_their_gpus_are_granted(
    lab: Lab, new_user: NewUser, tmp_path: Path
):
    kept = lab.running(new_user())
    write_backup(lab.pool.database_url, tmp_path / "pool.backup")
    unknown = [lab.running(new_user()) for _ in range(2)]
    lab.pool.stop()
    restore_backup(lab.pool.database_url, tmp_path / "pool.backup", replace=True)
    processes = {pid for ticket in unknown for pid in lab.pids_anywhere(ticket)}
    assert len(processes) == 2
    lab.pool.start()
    granted = [lab.pool.ask(new_user()) for _ in range(3)]
    assert [answer.status_code for answer in granted] == [200, 200, 200]
    assert not any(lab.pids_anywhere(ticket) for ticket in unknown)
    assert lab.pool.ticket(kept.id).lease == kept.lease
    assert len(lab.pids(kept)) == 1


def test_lease_of_an_older_store_whose_server_has_ended_since_is_given_up_and_its_gpus_never_held_twice(
    lab: Lab, new_user: NewUser, tmp_path: Path
):
    first, second = new_user(), new_user()
    ended = lab.running(first, "gpu-4")
    write_backup(lab.pool.database_url, tmp_path / "pool.backup")
    lab.stop(first)
    later = lab.running(second, "gpu-4")
    lab.pool.stop()
    restore_backup(lab.pool.database_url, tmp_path / "pool.backup", replace=True)
    lab.pool.start()
    wait_until(lambda: not lab.pids_anywhere(later), "the end of the server that nothing covers")
    assert lab.start(second).status_code == 503
    waiting = lab.ticket_of(second)
    wait_until(lambda: lab.pool.absent(ended.id), "absence noted")
    assert lab.pool.ticket(waiting.id).state == "queued"
    lab.pool.pass_time(timedelta(minutes=5, seconds=1))
    lab.until(ended, "ended", "lost")
    assert lab.until_ready(second).id == waiting.id


def test_server_whose_ticket_still_waited_a_day_ago_is_ended_and_gets_its_turn_again(
    lab: Lab, new_user: NewUser, tmp_path: Path
):
    """A day later the store is set back to when another one held the GPUs, whose hours are over now."""
    first, second = new_user(), new_user()
    held = lab.running(first, "gpu-4")
    assert lab.start(second, "gpu-4", hours=8).status_code == 503
    waited = lab.ticket_of(second)
    write_backup(lab.pool.database_url, tmp_path / "pool.backup")
    lab.stop(first)
    lab.use(lab.until_ready(second))
    (old,) = lab.pids(waited)
    lab.pool.stop()
    lab.pool.clock.ahead += timedelta(days=1)
    restore_backup(lab.pool.database_url, tmp_path / "pool.backup", replace=True)
    lab.pool.start()
    wait_until(lambda: lab.pool.ticket(held.id).state == "ended", "the end of the lease that is long over")
    again = lab.until_ready(second)
    assert (again.id, again.state) == (waited.id, "granted")
    assert [pid for pid in lab.pids(again) if pid != old] == list(lab.pids(again))
    assert len(lab.pids(again)) == 1


@pytest.mark.soak
def test_hub_and_pool_set_back_together_end_what_neither_knows(lab: Lab, new_user: NewUser, tmp_path: Path):
    kept, stopped, unknown = new_user(), new_user(), new_user()
    tickets = {user: lab.running(user) for user in (kept, stopped)}
    copy_hub_database(lab, tmp_path)
    write_backup(lab.pool.database_url, tmp_path / "pool.backup")
    lab.stop(stopped)
    forgotten = lab.running(unknown)
    lab.pool.stop()
    lab.hub.kill_hub()
    shutil.copy(tmp_path / "hub.sqlite", lab.hub.folder / "hub.sqlite")
    restore_backup(lab.pool.database_url, tmp_path / "pool.backup", replace=True)
    lab.hub.start_hub()
    lab.pool.start()
    wait_until(lambda: not lab.pids_anywhere(forgotten), "the end of the server that neither knows")
    wait_until(lambda: lab.pool.absent(tickets[stopped].id), "absence noted")
    lab.pool.pass_time(timedelta(minutes=5, seconds=1))
    lab.until(tickets[stopped], "ended", "lost")
    assert lab.pool.ticket(tickets[kept].id).lease == tickets[kept].lease
    assert len(lab.pids(tickets[kept])) == 1
    lab.running(unknown)


def test_hub_set_back_to_an_older_database_gets_its_servers_back_or_the_pool_ends_them(
    lab: Lab, new_user: NewUser, tmp_path: Path
):
    stopped, back, forgotten = new_user(), new_user(), new_user()
    lab.running(stopped)
    copy_hub_database(lab, tmp_path)
    lab.stop(stopped)
    tickets = {user: lab.running(user) for user in (back, forgotten)}
    old = lab.pids(tickets[back])
    lab.hub.kill_hub()
    shutil.copy(tmp_path / "hub.sqlite", lab.hub.folder / "hub.sqlite")
    lab.hub.start_hub()
    assert lab.pool.tickets(stopped) == ()
    wait_until(lambda: lab.hub.api("GET", f"/users/{stopped}").json()["servers"] == {}, "the hub's own look")
    assert lab.start(back).status_code in {201, 202}
    again = lab.until_ready(back)
    assert (again.id, again.lease and again.lease.devices) == (
        tickets[back].id,
        tickets[back].lease and tickets[back].lease.devices,
    )
    assert len(lab.pids(again)) == 1
    assert lab.pids(again) != old
    lab.pool.pass_time(timedelta(seconds=16))
    wait_until(lambda: lab.pool.absent(tickets[forgotten].id), "absence noted")
    lab.pool.pass_time(timedelta(minutes=5, seconds=1))
    lab.until(tickets[forgotten], "ended", "lost")
    assert lab.pids(tickets[forgotten]) == ()
    assert lab.pool.ticket(again.id).state == "running"


def test_hub_set_back_by_a_day_forgets_yesterdays_servers_and_leads_todays_back(
    lab: Lab, new_user: NewUser, tmp_path: Path
):
    yesterdays, todays = new_user(), new_user()
    over = lab.running(yesterdays)
    copy_hub_database(lab, tmp_path)
    lab.pool.pass_time(timedelta(days=1))
    lab.until(over, "ended", "time_limit")
    running = lab.running(todays, hours=8)
    lab.hub.kill_hub()
    shutil.copy(tmp_path / "hub.sqlite", lab.hub.folder / "hub.sqlite")
    lab.hub.start_hub()
    wait_until(lambda: lab.hub.api("GET", f"/users/{yesterdays}").json()["servers"] == {}, "the hub's own look")
    assert lab.pool.tickets(yesterdays) == ()
    assert lab.start(todays, hours=8).status_code in {201, 202}
    again = lab.until_ready(todays)
    assert (again.id, again.lease) == (running.id, running.lease)
    assert len(lab.pids(again)) == 1
    lab.running(yesterdays)


def copy_hub_database(lab: Lab, folder: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(lab.hub.folder / "hub.sqlite")) as source,
        contextlib.closing(sqlite3.connect(folder / "hub.sqlite")) as copy,
    ):
        source.backup(copy)
