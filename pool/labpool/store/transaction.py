"""What a decision reads and writes within one transaction, as domain values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from labpool.domain.calendar import Window
from labpool.domain.leases import Lease, Slot
from labpool.domain.ledger import Posting, closed, moved, opened
from labpool.domain.overrides import Override
from labpool.domain.tickets import State, Ticket
from labpool.domain.withdrawals import Withdrawal
from labpool.store import admin_acts, auditing, erasing, notices, people, rows, usage, writing
from labpool.store.audit_chain import AuditRecord, Link
from labpool.store.auditing import AuditWanted
from labpool.store.erasing import Erased
from labpool.store.kept import Kept
from labpool.store.listing import FRESH, Wanted, newest_tickets
from labpool.store.models import (
    AskedOnceRow,
    LeasedDeviceRow,
    LeaseRow,
    LedgerRow,
    NoticeRow,
    SlotRow,
    TicketRow,
)
from labpool.store.notices import Told
from labpool.store.outbox import Outbox
from labpool.store.preferences import PreferencesBook
from labpool.store.records import Acts, AskedOnce, AuditEntry, EndedRun, Notice, ReservationSeries
from labpool.store.sending_late import SendingLate
from labpool.store.usage import By, Seen, UsageSum

_TOLD = select(NoticeRow.id).where(NoticeRow.ticket == bindparam("ticket"), NoticeRow.key == bindparam("key"))
_NUMBER = select(LeaseRow.id).where(LeaseRow.ticket == bindparam("ticket"), LeaseRow.ended_at.is_(None))


class Transaction:
    """Reading and writing domain values; only a `Store` makes one."""

    def __init__(self, connection: Connection, kept: Kept) -> None:
        self._database, self._kept = SendingLate(connection), kept
        self.erased = False
        self.about = set[str]()
        """The tickets (by id) and users of which something was written."""
        self.granted = list[Ticket]()
        """Those that got a lease, as they were then."""

    def send(self) -> None:
        """Send the database what it was not sent yet."""
        self._database.send()

    @property
    def _connection(self) -> Connection:
        return self._database.connection

    @property
    def _session(self) -> Session:
        return self._database.session

    def ticket(self, ticket: str) -> Ticket | None:
        """One ticket, open or ended."""
        if ticket in self._kept.tickets:
            return self._kept.tickets[ticket]
        row = self._session.get(TicketRow, ticket, populate_existing=True)
        return rows.ticket_from(row) if row else None

    def open_tickets(self) -> tuple[Ticket, ...]:
        """All tickets that have not ended, oldest request first."""
        return tuple(self._kept.tickets.values())

    def tickets_of(self, user: str, limit: int = 50) -> tuple[Ticket, ...]:
        """A user's newest tickets, open and ended, newest first."""
        query = select(TicketRow).where(TicketRow.user == user)
        newest_first = query.order_by(TicketRow.requested_at.desc(), TicketRow.id.desc()).limit(limit)
        return tuple(rows.ticket_from(row) for row in self._session.scalars(newest_first, execution_options=FRESH))

    def newest_tickets(self, wanted: Wanted) -> tuple[Ticket, ...]:
        """A page of tickets, open and ended, newest first."""
        return newest_tickets(self._session, wanted)

    def asked_once(self, user: str, key: str, since: datetime) -> AskedOnce | None:
        """What a user's request with this key came to, if that was after `since`."""
        row = self._session.get(AskedOnceRow, (user, key))
        known = row is not None and row.at > since
        return AskedOnce(row.user, row.key, row.ticket, row.digest, row.at) if row and known else None

    def remember_asked(self, asked: AskedOnce, forget: datetime) -> None:
        """Keep what a request with a key came to, and forget those from before `forget`."""
        self._session.execute(delete(AskedOnceRow).where(AskedOnceRow.at <= forget))
        self._session.add(AskedOnceRow(**rows.as_columns(asked)))
        self._session.flush()

    def save_ticket(self, ticket: Ticket) -> None:
        """Add a ticket, or write an open one's new state."""
        self.about |= {ticket.id, ticket.user}
        self._database.ticket(ticket, new=ticket.id not in self._kept.tickets)
        if ticket.state is State.ENDED:
            self._kept.tickets.pop(ticket.id, None)
        else:
            self._kept.tickets[ticket.id] = ticket

    def live_leases(self) -> tuple[Lease, ...]:
        """All leases whose devices are held, oldest first."""
        return tuple(self._kept.leases.values())

    def lease_of(self, ticket: str) -> Lease | None:
        """A ticket's live lease."""
        return self._kept.leases.get(ticket)

    def save_lease(self, lease: Lease) -> None:
        """Add a lease, or write a live one's new values. Its devices, start and charge never change.

        The ledger gets what that sets aside.

        Raises:
            sqlalchemy.exc.IntegrityError: a device is in another live lease; the transaction is undone.
        """
        before = self._kept.leases.get(lease.ticket)
        if before == lease:
            return
        self.about |= {lease.ticket, lease.user}
        if before is None:
            number = writing.add_numbered(self._connection, LeaseRow, rows.lease_columns(lease))
            postings = opened(lease)
            self.granted.append(self._kept.tickets[lease.ticket])
            writing.add(self._connection, LeasedDeviceRow, rows.device_columns(number, lease))
        else:
            number, postings = self._number_of(lease.ticket), moved(before, lease.ends)
            writing.change(self._connection, LeaseRow, "id", number, rows.changing_lease_columns(lease))
        self._book(number, lease, postings)
        self._kept.leases[lease.ticket] = lease

    def end_lease(self, ticket: str, at: datetime) -> None:
        """Free the devices of a ticket's live lease, used until `at`; nothing happens where it has none.

        The ledger gets what was used and what comes back.
        """
        lease = self._kept.leases.pop(ticket, None)
        if lease is None:
            return
        number = self._number_of(ticket)
        writing.change(self._connection, LeaseRow, "id", number, {"ended_at": at})
        writing.change(self._connection, LeasedDeviceRow, "lease", number, {"live": False})
        used, *rest = closed(lease, at)
        self._book(number, lease, (used, *rest))
        profile, asked = self._kept.tickets[ticket].profile, lease.ends - lease.starts
        what = (lease.project, lease.flavour, len(lease.devices), used.start, used.end)
        self._kept.ended.append(EndedRun(*what, lease.user, profile, asked, lease.charge))

    def ended_runs(self) -> Sequence[EndedRun]:
        """What leases used that are over, oldest end first; of those before the pool started, the last year's."""
        return self._kept.ended

    def slots(self) -> tuple[Slot, ...]:
        """The stored slots of queued tickets."""
        return tuple(self._kept.slots.values())

    def replace_slots(self, slots: Sequence[Slot]) -> None:
        """Make `slots` the stored ones; only those that differ are written."""
        wanted = {slot.ticket: slot for slot in slots}
        stored = self._kept.slots
        gone = [ticket for ticket in stored if ticket not in wanted]
        if gone:
            self._connection.execute(delete(SlotRow).where(SlotRow.ticket.in_(gone)))
        changed = [slot for slot in slots if (known := stored.get(slot.ticket)) is not slot and known != slot]
        new = [rows.slot_columns(slot) for slot in changed if slot.ticket not in stored]
        moved = {slot.ticket: rows.slot_columns(slot) for slot in changed if slot.ticket in stored}
        writing.add(self._connection, SlotRow, new)
        writing.change_each(self._connection, SlotRow, "ticket", moved)
        stored.clear()
        stored.update(wanted)

    def drop_slot(self, ticket: str) -> None:
        """Forget the stored slot of a ticket, if it has one."""
        if self._kept.slots.pop(ticket, None):
            self._connection.execute(delete(SlotRow).where(SlotRow.ticket == ticket))

    def reservations(self) -> tuple[ReservationSeries, ...]:
        """Reservations that nobody cancelled; the same tuple until one is made or cancelled."""
        return self._kept.reservations

    def save_reservation(self, series: ReservationSeries) -> None:
        """Add a reservation, or write that one was cancelled."""
        self._session.merge(rows.reservation_row(series))
        self._session.flush()
        others = tuple(each for each in self._kept.reservations if each.id != series.id)
        self._kept.reservations = others if series.cancelled_at else (*others, series)

    def acts(self) -> Acts:
        """What admins said and nobody has ended; the same tuples until something is added or ended."""
        return self._kept.acts

    def add_withdrawal(self, withdrawal: Withdrawal) -> None:
        """Keep what an admin drained or fenced."""
        admin_acts.add_withdrawal(self._session, self._kept, withdrawal)

    def add_override(self, override: Override) -> None:
        """Keep what an admin changed of the rules."""
        admin_acts.add_override(self._session, self._kept, override)

    def end_act(self, act: str, at: datetime, by: str) -> None:
        """Note that a withdrawal or an override is over, and who ended it; nothing happens where it was before."""
        admin_acts.end(self._session, self._kept, act, at, by)

    def add_notice(self, notice: Notice) -> int | None:
        """Keep a notice and give its number, unless its key was said already."""
        if self._connection.execute(_TOLD, {"ticket": notice.ticket, "key": notice.key}).first() is not None:
            return None
        ticket = self.ticket(notice.ticket)
        self.about |= {notice.ticket, ticket.user if ticket else ""}
        return writing.add_numbered(self._connection, NoticeRow, rows.as_columns(notice))

    @property
    def outbox(self) -> Outbox:
        """What is to be sent."""
        return Outbox(self._session)

    @property
    def preferences(self) -> PreferencesBook:
        """How users want to be told."""
        return PreferencesBook(self._connection)

    def last_notice_of(self, ticket: str, kind: str | None = None) -> Notice | None:
        """What a ticket's owner was told last, of one kind or at all."""
        return self.last_notices_of([ticket], kind).get(ticket)

    def last_notices_of(self, tickets: Collection[str], kind: str | None = None) -> dict[str, Notice]:
        """What the owners of tickets were told last, of one kind or at all; nothing for those who were told nothing."""
        return notices.last_ones(self._connection, tickets, kind)

    def told(self, user: str, after: int | None) -> Told:
        """What a user was told after the notice with that number; without one, the newest of each open ticket."""
        return notices.told(self._connection, user, after)

    def audit(self, entry: AuditEntry) -> AuditEntry:
        """Add a row to the audit trail; give it as written, people under their pseudonyms."""
        written, row = auditing.next_row(self._kept, entry, self.pseudonym)
        self._database.trail(row)
        return written

    def audit_trail(self, ticket: str | None = None) -> tuple[AuditEntry, ...]:
        """The audit trail in the order of writing, of one ticket or of all, with people's names."""
        return auditing.trail(self._session, self._kept, ticket)

    def audit_rows(self, wanted: AuditWanted) -> list[AuditRecord]:
        """Rows of the audit trail, newest first, with people's names as far as they are known."""
        return auditing.newest_rows(self._session, wanted, self._kept.pseudonyms)

    def audited(self) -> Link:
        """The number and hash of the audit trail's last row."""
        return self._kept.audited

    def pseudonym(self, name: str) -> str:
        """A person's pseudonym, made where there is none yet."""
        return self._kept.pseudonyms.get(name) or people.pseudonym_of(self._connection, self._kept, name)

    def known_pseudonym(self, name: str) -> str | None:
        """A person's pseudonym; None where the person was never seen."""
        return self._kept.pseudonyms.get(name)

    def usage(self, window: Window, by: By, seen: Seen) -> dict[str, UsageSum]:
        """What the ledger says of a window, summed up by a column, as far as it may be seen; people by their names."""
        sums = usage.usage(self._session, self._kept.usage, window, by, seen)
        if by is not By.USER:
            return sums
        names = {pseudonym: name for name, pseudonym in self._kept.pseudonyms.items()}
        return {names.get(person, person): found for person, found in sums.items()}

    def erase(self, person: str) -> Erased | None:
        """Put a person's pseudonym in place of the name everywhere, and forget the key; None where nobody is so named.

        All tickets of the person must have ended. The name is gone from the files soon after the transaction
        (`compaction`).
        """
        found = erasing.erase(self._session, self._kept, person)
        self.erased = found is not None
        return found

    def _book(self, number: int, lease: Lease, postings: Sequence[Posting]) -> None:
        if postings:
            person = self.pseudonym(lease.user)
            booked = [rows.ledger_columns(number, lease, person, posting) for posting in postings]
            writing.add(self._connection, LedgerRow, booked)

    def _number_of(self, ticket: str) -> int:
        """The number of a ticket's live lease."""
        return self._connection.execute(_NUMBER, {"ticket": ticket}).scalar_one()
