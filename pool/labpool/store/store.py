"""The store: transactions in which a decision reads what it needs and writes what it decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from labpool.domain.calendar import Window
from labpool.domain.leases import Lease, Slot
from labpool.domain.ledger import Posting, closed, moved, opened
from labpool.domain.tickets import State, Ticket
from labpool.store import auditing, erasing, people, rows, usage
from labpool.store.audit_chain import Link
from labpool.store.database import READS_ONLY, compact
from labpool.store.erasing import Erased
from labpool.store.kept import Kept, read
from labpool.store.models import LeaseRow, NoticeRow, SlotRow, TicketRow
from labpool.store.records import AuditEntry, EndedRun, Notice, ReservationSeries
from labpool.store.usage import By, Seen, UsageSum


class Store:
    """All the pool remembers, in one database that nobody else writes.

    What every decision looks at stays in memory between transactions; after a failed one it is read anew.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: Kept | None = None

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction: all of it is kept, or, where an error leaves the block, nothing. One at a time."""
        try:
            with Session(self._engine) as session, session.begin():
                kept = self._kept.copy() if self._kept else read(session)
                change = Transaction(session, kept)
                yield change
        except BaseException:
            self._kept = None
            raise
        self._kept = kept
        if change.erased:
            self._kept = None
            compact(self._engine)

    @contextmanager
    def view(self) -> Iterator[Transaction]:
        """A transaction for reading, without making a writer wait."""
        known = self._kept
        with Session(self._engine.execution_options(**{READS_ONLY: True})) as session, session.begin():
            yield Transaction(session, known or read(session))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


class Transaction:
    """Reading and writing domain values; only a `Store` makes one."""

    def __init__(self, session: Session, kept: Kept) -> None:
        self._session, self._kept = session, kept
        self.erased = False

    def ticket(self, ticket: str) -> Ticket | None:
        """One ticket, open or ended."""
        if ticket in self._kept.tickets:
            return self._kept.tickets[ticket]
        row = self._session.get(TicketRow, ticket)
        return rows.ticket_from(row) if row else None

    def open_tickets(self) -> tuple[Ticket, ...]:
        """All tickets that have not ended, oldest request first."""
        return tuple(self._kept.tickets.values())

    def tickets_of(self, user: str, limit: int = 50) -> tuple[Ticket, ...]:
        """A user's newest tickets, open and ended, newest first."""
        query = select(TicketRow).where(TicketRow.user == user).order_by(TicketRow.requested_at.desc()).limit(limit)
        return tuple(rows.ticket_from(row) for row in self._session.scalars(query))

    def save_ticket(self, ticket: Ticket) -> None:
        """Add a ticket, or write a known one's new state."""
        self._session.merge(rows.ticket_row(ticket))
        self._session.flush()
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
        before, row = self._kept.leases.get(lease.ticket), self._live_lease(lease.ticket)
        if before == lease:
            return
        if row is None or before is None:
            row, postings = rows.lease_row(lease), opened(lease)
            self._session.add(row)
        else:
            postings = moved(before, lease.ends)
            rows.update_lease(row, lease)
        self._session.flush()
        self._book(row, lease, postings)
        self._kept.leases[lease.ticket] = lease

    def end_lease(self, ticket: str, at: datetime) -> None:
        """Free the devices of a ticket's live lease, used until `at`; nothing happens where it has none.

        The ledger gets what was used and what comes back.
        """
        row = self._live_lease(ticket)
        if row is None:
            return
        row.ended_at = at
        for device in row.devices:
            device.live = False
        self._session.flush()
        lease = self._kept.leases.pop(ticket)
        used, *rest = closed(lease, at)
        self._book(row, lease, (used, *rest))
        profile, asked = self._kept.tickets[ticket].profile, lease.ends - lease.starts
        what = (lease.project, lease.flavour, len(lease.devices), used.start, used.end)
        self._kept.ended.append(EndedRun(*what, lease.user, profile, asked, lease.charge))

    def ended_runs(self) -> Sequence[EndedRun]:
        """What leases used that are over, oldest end first; of those before the pool started, the last year's."""
        return self._kept.ended

    def slots(self) -> tuple[Slot, ...]:
        """The stored slots of queued tickets."""
        return tuple(self._kept.slots.values())

    def replace_slots(self, slots: Iterable[Slot]) -> None:
        """Make `slots` the stored ones; only those that differ are written."""
        wanted = {slot.ticket: slot for slot in slots}
        stored = self._kept.slots
        gone = [ticket for ticket in stored if ticket not in wanted]
        if gone:
            self._session.execute(delete(SlotRow).where(SlotRow.ticket.in_(gone)))
        for slot in wanted.values():
            known = stored.get(slot.ticket)
            if known is not slot and known != slot:
                self._session.merge(rows.slot_row(slot))
        self._session.flush()
        stored.clear()
        stored.update(wanted)

    def reservations(self) -> tuple[ReservationSeries, ...]:
        """Reservations that nobody cancelled; the same tuple until one is made or cancelled."""
        return self._kept.reservations

    def save_reservation(self, series: ReservationSeries) -> None:
        """Add a reservation, or write that one was cancelled."""
        self._session.merge(rows.reservation_row(series))
        self._session.flush()
        others = tuple(each for each in self._kept.reservations if each.id != series.id)
        self._kept.reservations = others if series.cancelled_at else (*others, series)

    def add_notice(self, notice: Notice) -> None:
        """Keep a notice unless its key was said already."""
        query = select(NoticeRow).where(NoticeRow.ticket == notice.ticket, NoticeRow.key == notice.key)
        if self._session.scalars(query).first() is None:
            self._session.add(rows.notice_row(notice))
            self._session.flush()

    def last_notice_of(self, ticket: str) -> Notice | None:
        """What a ticket's owner was told last."""
        query = select(NoticeRow).where(NoticeRow.ticket == ticket).order_by(NoticeRow.id.desc()).limit(1)
        row = self._session.scalars(query).first()
        return Notice(row.ticket, row.key, row.kind, row.at, row.message, row.ends_at) if row else None

    def audit(self, entry: AuditEntry) -> AuditEntry:
        """Add a row to the audit trail; give it as written, people under their pseudonyms."""
        return auditing.add(self._session, self._kept, entry)

    def audit_trail(self, ticket: str | None = None) -> tuple[AuditEntry, ...]:
        """The audit trail in the order of writing, of one ticket or of all, with people's names."""
        return auditing.trail(self._session, self._kept, ticket)

    def audited(self) -> Link:
        """The number and hash of the audit trail's last row."""
        return self._kept.audited

    def pseudonym(self, name: str) -> str:
        """A person's pseudonym, made where there is none yet."""
        return people.pseudonym_of(self._session, self._kept, name)

    def known_pseudonym(self, name: str) -> str | None:
        """A person's pseudonym; None where the person was never seen."""
        return self._kept.pseudonyms.get(name)

    def usage(self, window: Window, by: By, seen: Seen) -> dict[str, UsageSum]:
        """What the ledger says of a window, summed up by a column, as far as it may be seen; people by their names."""
        sums = usage.usage(self._session, window, by, seen)
        if by is not By.USER:
            return sums
        names = {pseudonym: name for name, pseudonym in self._kept.pseudonyms.items()}
        return {names.get(person, person): found for person, found in sums.items()}

    def erase(self, person: str) -> Erased | None:
        """Put a person's pseudonym in place of the name everywhere, and forget the key; None where nobody is so named.

        All tickets of the person must have ended. The name is gone from the file once the transaction is over.
        """
        found = erasing.erase(self._session, self._kept, person)
        self.erased = found is not None
        return found

    def _book(self, row: LeaseRow, lease: Lease, postings: Sequence[Posting]) -> None:
        if postings:
            person = self.pseudonym(lease.user)
            self._session.add_all(rows.ledger_row(row.id, lease, person, posting) for posting in postings)
            self._session.flush()

    def _live_lease(self, ticket: str) -> LeaseRow | None:
        if ticket not in self._kept.leases:
            return None
        query = select(LeaseRow).where(LeaseRow.ticket == ticket, LeaseRow.ended_at.is_(None))
        return self._session.scalars(query).first()
