"""Stores that lose or make up something, in one thing each. The service's histories must catch every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from labpool.domain.leases import Lease, Slot
from labpool.domain.tickets import Ticket
from labpool.store import AuditEntry, ReservationSeries, Store, Transaction, auditing, connect, migrate, rows, writing
from labpool.store import store as stores
from labpool.store.audit_chain import BEGINNING, AuditRecord, hash_after
from labpool.store.kept import Kept, read
from labpool.store.models import Base, LeasedDeviceRow, LeaseRow, TicketRow
from labpool.store.records import Acts
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from tests.domain.lab import HOUR
from tests.domain.rules import InvariantBroken
from tests.service.happenings import PEACEFUL, TROUBLE, play

pytestmark = pytest.mark.once

Patch = pytest.MonkeyPatch
HISTORIES, STEPS = 40, 20
KINDS = PEACEFUL * 2 + TROUBLE


def hunt(engine: Engine, *often: str) -> None:
    """Let random histories, some steps happening `often`, break an invariant; they are the same each time."""
    chance, kinds = Random(5), KINDS + 8 * often
    for _ in range(HISTORIES):
        play(engine, [(chance.choice(kinds), chance.randrange(12), chance.randrange(12)) for _ in range(STEPS)])


def unwritten(patch: Patch, kind: type[Base], *columns: str) -> None:
    """Let changes of a kind of rows be written without some columns."""
    really = writing.change

    def forgetful(connection: Connection, table: type[Base], key: str, value: object, row: writing.Columns) -> None:
        kept = {name: each for name, each in row.items() if table is not kind or name not in columns}
        if kept:
            really(connection, table, key, value, kept)

    patch.setattr(writing, "change", forgetful)


def a_state(patch: Patch) -> None:
    unwritten(patch, TicketRow, "state")


def a_promise(patch: Patch) -> None:
    unwritten(patch, TicketRow, "starts_by")


def what_was_told_first(patch: Patch) -> None:
    """A promise moves an hour each time that its ticket is written."""
    really = Transaction.save_ticket

    def save(self: Transaction, ticket: Ticket) -> None:
        really(self, replace(ticket, starts_by=ticket.starts_by + HOUR) if ticket.starts_by else ticket)

    patch.setattr(Transaction, "save_ticket", save)


def a_later_end(patch: Patch) -> None:
    unwritten(patch, LeaseRow, "ends")


def that_devices_are_free(patch: Patch) -> None:
    unwritten(patch, LeasedDeviceRow, "live")


def a_lease(patch: Patch) -> None:
    really = Transaction.save_lease

    def save(self: Transaction, lease: Lease) -> None:
        if self.lease_of(lease.ticket) is None:
            self._kept.leases[lease.ticket] = lease
        else:
            really(self, lease)

    patch.setattr(Transaction, "save_lease", save)


def a_slot(patch: Patch) -> None:
    def keep(self: Transaction, slots: Iterable[Slot]) -> None:
        self._kept.slots = {slot.ticket: slot for slot in slots}

    patch.setattr(Transaction, "replace_slots", keep)


def a_reservation(patch: Patch) -> None:
    def keep(self: Transaction, series: ReservationSeries) -> None:
        self._kept.reservations = (*self._kept.reservations, series)

    patch.setattr(Transaction, "save_reservation", keep)


def that_an_act_ended(patch: Patch) -> None:
    """It comes back when the pool starts again."""

    def end(self: Transaction, act: str, at: object, by: str) -> None:
        self._kept.acts = Acts(*(tuple(each for each in acts if each.id != act) for acts in self._kept.acts))

    patch.setattr(Transaction, "end_act", end)


def who_did_it(patch: Patch) -> None:
    """The trail lacks the first uses."""
    really = Transaction.audit

    def audit(self: Transaction, entry: AuditEntry) -> AuditEntry:
        return entry if entry.event == "first_use" else really(self, entry)

    patch.setattr(Transaction, "audit", audit)


def the_chain(patch: Patch) -> None:
    """Each row of the trail hangs on nothing."""

    def hash_alone(previous: str, row: AuditRecord) -> str:
        return hash_after(BEGINNING.hash, row)

    patch.setattr(auditing, "hash_after", hash_alone)


def a_ticket_at_the_start(patch: Patch) -> None:
    """A pool that starts again doesn't read the last ticket."""
    read_less(patch, lambda kept: replace(kept, tickets=dict(list(kept.tickets.items())[:-1])))


def what_was_used_at_the_start(patch: Patch) -> None:
    """A pool that starts again doesn't read what runs that are over have used."""
    read_less(patch, lambda kept: replace(kept, ended=[]))


def read_less(patch: Patch, less: Callable[[Kept], Kept]) -> None:
    patch.setattr(stores, "read", lambda connection: less(read(connection)))


def a_device_at_the_start(patch: Patch) -> None:
    """A lease is read without its last device."""
    really = rows.lease_from
    patch.setattr(rows, "lease_from", lambda row: replace(really(row), devices=really(row).devices[1:]))


def that_it_was_undone(patch: Patch) -> None:
    """What a transaction did that failed stays in memory."""
    really = Store.transaction

    @contextmanager
    def transaction(self: Store) -> Iterator[Transaction]:
        change = None
        try:
            with really(self) as change:
                yield change
        except BaseException:
            self._kept = change._kept if change else None
            raise

    patch.setattr(Store, "transaction", transaction)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = connect(f"sqlite:///{tmp_path}/pool.sqlite")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("forgets", "said", "often"),
    [
        (a_lease, "^5: of leases", ()),
        (a_state, "^5: of tickets", ()),
        (a_promise, "^5: of tickets", ()),
        (a_later_end, "^5: of leases", ("use", "extend")),
        (a_slot, "^5: of slots", ()),
        (a_reservation, "^5: of reservations", ("reserve",)),
        (that_an_act_ended, "^5: of acts", ("drain", "undrain", "override", "end_override")),
        (that_devices_are_free, "^5: devices are kept by no lease", ()),
        (a_ticket_at_the_start, "^5: of tickets", ()),
        (a_device_at_the_start, "^5: ", ()),
        (what_was_used_at_the_start, "^5: the store tells of other runs", ()),
        (that_it_was_undone, "^5: ", ("reorder",)),
        (what_was_told_first, "^6b?: ", ()),
        (who_did_it, "^8: the trail tells", ()),
        (the_chain, "^8: ", ()),
    ],
)
def test_store_that_forgets_something_is_caught(
    forgets: Callable[[Patch], None], said: str, often: tuple[str, ...], engine: Engine, monkeypatch: Patch
):
    forgets(monkeypatch)
    with pytest.raises(InvariantBroken, match=said):
        hunt(engine, *often)
