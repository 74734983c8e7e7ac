"""Erasing a person: the name is nowhere in the database's files, and all else is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from labpool.domain.leases import Lease
from labpool.domain.tickets import EndReason, Event, Ticket
from labpool.settings import sqlite_url
from labpool.store import (
    AuditEntry,
    Notice,
    Part,
    Preferences,
    ReservationSeries,
    Store,
    Way,
    compaction,
    connect,
    migrate,
)
from labpool.store.audit_reading import verify_audit
from labpool.store.models import FREE_TEXT, PERSON, Base
from sqlalchemy import String, Text

from tests.service.full_disk import small_disk

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
NAME = "zebedee"
TICKET = Ticket("t1", NAME, frozenset({"vision", NAME}), f"{NAME}-train", "vision", "gpu-1", "gpu", 1, 2 * HOUR, NOW)
OTHER = replace(TICKET, id="t2", user="ada", groups=frozenset({"vision"}), name=f"with {NAME}s")
LEASE = Lease("t1", NAME, TICKET.name, "vision", "gpu", ("gpu-0",), NOW, NOW + 2 * HOUR)
SERIES = ReservationSeries(
    "r1", "vision", "gpu", 1, "", NOW, NOW + HOUR, "UTC", None, None, f"Course of {NAME}", NAME, NOW,
    cancelled_at=NOW, cancelled_by=NAME,
)  # fmt: skip

NO_PERSON = {
    *("tickets.id", "tickets.kind", "tickets.priority", "tickets.project", "tickets.profile", "tickets.flavour"),
    *("tickets.state", "tickets.end_reason", "leases.ticket", "leases.project", "leases.flavour"),
    *("leases.stopping_for", "leased_devices.device", "slots.ticket", "slots.node", "reservations.id"),
    *("reservations.project", "reservations.flavour", "reservations.node", "reservations.zone", "reservations.repeat"),
    *("notices.ticket", "notices.key", "notices.kind", "audit.actor", "audit.ticket", "audit.event", "audit.detail"),
    *("ledger.kind", "ledger.person", "ledger.project", "ledger.flavour"),
    *("audit.hash", "people.name", "people.pseudonym", "withdrawals.id", "withdrawals.act", "withdrawals.node"),
    *("withdrawals.device", "overrides.id", "overrides.rule", "overrides.flavour", "deliveries.id", "deliveries.way"),
    *("asked_once.ticket", "asked_once.digest", "asked_once.key"),
    *("leader.holder", "deliveries.outcome", "preferences.email", "preferences.unconfirmed", "preferences.webhook_url"),
    *(
        "inbox.id",
        "inbox.method",
        "preferences.webhook_secret",
        "preferences.quiet_from",
        "preferences.quiet_to",
        "preferences.zone",
    ),
}
"""Columns of text without a person's name; those of the key table, the trail, and of preferences, which are deleted."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pool.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    engine = connect(sqlite_url(path))
    migrate(engine)
    store = Store(engine)
    with store.transaction() as change:
        for ticket in (TICKET, OTHER):
            change.save_ticket(ticket)
            change.audit(AuditEntry(NOW, ticket.user, "filed", ticket.id, "queued, attempt 1"))
        change.save_lease(LEASE)
        change.save_reservation(SERIES)
        change.audit(AuditEntry(NOW, Part.POOL, "start_tried", "t1", f"{NAME} is pending"))
        number = change.add_notice(Notice("t1", "key", "granted", NOW, f"{NAME}, it is your turn; not {NAME}s"))
        change.preferences.save(Preferences(NAME, email=f"{NAME}@example.org"))
        change.outbox.post(NAME, Way.EMAIL, NOW, number)
    with store.transaction() as change:
        change.save_ticket(TICKET.after(Event.GRANT, NOW))
        change.end_lease("t1", NOW + HOUR)
        change.save_ticket(TICKET.after(Event.GRANT, NOW).after(Event.END, NOW, EndReason.STOPPED))
    yield store
    store.close()


def test_erased_name_is_nowhere_in_the_files_and_the_records_stay(store: Store, path: Path):
    with store.transaction() as change:
        pseudonym, trail, (run,) = change.pseudonym(NAME), change.audit_trail(), change.ended_runs()
    with store.transaction() as change:
        erased = change.erase(NAME)
        change.audit(AuditEntry(NOW, "ada", "person_erased", None, pseudonym))
    assert erased is not None
    assert (erased.pseudonym, erased.tickets, erased.leases) == (pseudonym, 1, 1)
    files = b"".join(file.read_bytes() for file in sorted(path.parent.glob("pool.sqlite*")))
    assert files.replace(f"{NAME}s".encode(), b"").count(NAME.encode()) == 0
    with store.view() as view:
        (ticket,) = view.tickets_of(pseudonym)
        assert ticket.groups == frozenset({"vision", pseudonym})
        assert ticket.name == f"{pseudonym}-train"
        assert view.tickets_of(NAME) == ()
        assert list(view.ended_runs()) == [replace(run, user=pseudonym)]
        notice = view.last_notice_of("t1")
        assert notice is not None
        assert notice.message == f"{pseudonym}, it is your turn; not {NAME}s"
        told = [replace(entry, actor=entry.actor.replace(NAME, pseudonym)) for entry in trail[:2]]
        assert list(view.audit_trail()[:2]) == told
        assert view.ticket("t2") == OTHER
        assert view.preferences.of(pseudonym) == Preferences(pseudonym)
    assert verify_audit(sqlite_url(path), ()).broken is None


def test_person_who_comes_back_is_somebody_else(store: Store):
    with store.transaction() as change:
        before = change.pseudonym(NAME)
        change.erase(NAME)
    with store.transaction() as change:
        assert change.erase(NAME) is None
        assert change.pseudonym(NAME) != before


def test_every_column_of_text_is_marked_or_holds_no_person():
    texts = {
        f"{table.name}.{column.name}": column
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, (String, Text))
    }
    marked = {name for name, column in texts.items() if column.info in (PERSON, FREE_TEXT)}
    assert marked.isdisjoint(NO_PERSON)
    assert texts.keys() == marked | NO_PERSON, "mark the new column, or list it as one that never holds a person's name"


@pytest.mark.root
@pytest.mark.parametrize("restarted", [False, True])
def test_name_is_taken_out_of_the_files_once_there_is_room_for_it(
    restarted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compaction, "AGAIN_SECONDS", 0.0)
    with small_disk(tmp_path / "disk") as disk:
        engine = connect(sqlite_url(disk.folder / "pool.sqlite"))
        migrate(engine)
        store = Store(engine)
        with store.transaction() as change:
            change.save_ticket(replace(OTHER, name=NAME))
            change.save_reservation(SERIES)
            for number in range(200):
                change.audit(AuditEntry(NOW, Part.POOL, "filled", None, f"{number} {5000 * 'x'}"))
        disk.fill()
        disk.make_room(300 * 1024)  # for the change, not for all of the database once more
        with store.transaction() as change:
            assert change.erase(NAME) is not None
        assert name_in_files(disk.folder)
        disk.make_room()
        store = Store(engine) if restarted else store
        with store.transaction() as change:
            change.audit(AuditEntry(NOW, Part.POOL, "goes on"))
        assert not name_in_files(disk.folder)
        store.close()


def name_in_files(folder: Path) -> bool:
    return any(NAME.encode() in file.read_bytes() for file in sorted(folder.glob("pool.sqlite*")))
