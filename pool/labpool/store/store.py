"""The store: transactions in which a decision reads what it needs and writes what it decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from labpool.domain.leases import Lease, Slot
from labpool.domain.overrides import Override
from labpool.domain.tickets import State, Ticket
from labpool.domain.withdrawals import Withdrawal
from labpool.store import rows
from labpool.store.database import READS_ONLY
from labpool.store.kept import Kept, read
from labpool.store.listing import Wanted, newest_tickets
from labpool.store.models import (
    AskedOnceRow,
    AuditRow,
    LeaseRow,
    NoticeRow,
    OverrideRow,
    SlotRow,
    TicketRow,
    WithdrawalRow,
)
from labpool.store.records import Acts, AskedOnce, AuditEntry, EndedRun, Notice, ReservationSeries


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
                yield Transaction(session, kept)
        except BaseException:
            self._kept = None
            raise
        self._kept = kept

    @contextmanager
    def view(self) -> Iterator[Transaction]:
        """A transaction for reading, without making a writer wait."""
        known = self._kept
        with Session(self._engine.execution_options(**{READS_ONLY: True})) as session, session.begin():
            yield Transaction(session, known or read(session))

    def acts(self) -> Acts:
        """What admins said and nobody has ended, as the last transaction left it."""
        with self.view() as view:
            return view.acts()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


class Transaction:
    """Reading and writing domain values; only a `Store` makes one."""

    def __init__(self, session: Session, kept: Kept) -> None:
        self._session, self._kept = session, kept

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
        query = select(TicketRow).where(TicketRow.user == user)
        newest_first = query.order_by(TicketRow.requested_at.desc(), TicketRow.id.desc()).limit(limit)
        return tuple(rows.ticket_from(row) for row in self._session.scalars(newest_first))

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
        """Add a lease, or write a live one's new values. Its devices never change.

        Raises:
            sqlalchemy.exc.IntegrityError: a device is in another live lease; the transaction is undone.
        """
        if self._kept.leases.get(lease.ticket) == lease:
            return
        if row := self._live_lease(lease.ticket):
            rows.update_lease(row, lease)
        else:
            self._session.add(rows.lease_row(lease))
        self._session.flush()
        self._kept.leases[lease.ticket] = lease

    def end_lease(self, ticket: str, at: datetime) -> None:
        """Free the devices of a ticket's live lease; nothing happens where it has none."""
        row = self._live_lease(ticket)
        if row is None:
            return
        row.ended_at = at
        for device in row.devices:
            device.live = False
        self._session.flush()
        lease = self._kept.leases.pop(ticket)
        ends = min(lease.ends, at)
        profile = self._kept.tickets[ticket].profile
        used = (lease.project, lease.flavour, len(lease.devices), lease.starts, ends)
        self._kept.ended.append(EndedRun(*used, lease.user, profile, lease.ends - lease.starts))

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

    def acts(self) -> Acts:
        """What admins said and nobody has ended; the same tuples until something is added or ended."""
        return self._kept.acts

    def add_withdrawal(self, withdrawal: Withdrawal) -> None:
        """Keep what an admin drained or fenced."""
        self._session.add(rows.withdrawal_row(withdrawal))
        self._session.flush()
        acts = self._kept.acts
        self._kept.acts = acts._replace(withdrawals=(*acts.withdrawals, withdrawal))

    def add_override(self, override: Override) -> None:
        """Keep what an admin changed of the rules."""
        self._session.add(rows.override_row(override))
        self._session.flush()
        acts = self._kept.acts
        self._kept.acts = acts._replace(overrides=(*acts.overrides, override))

    def end_act(self, act: str, at: datetime, by: str) -> None:
        """Note that a withdrawal or an override is over, and who ended it; nothing happens where it was before."""
        row = self._session.get(WithdrawalRow, act) or self._session.get(OverrideRow, act)
        if row is None or row.ended_at is not None:
            return
        row.ended_at, row.ended_by = at, by
        self._session.flush()
        withdrawals, overrides = self._kept.acts
        self._kept.acts = Acts(
            tuple(each for each in withdrawals if each.id != act), tuple(each for each in overrides if each.id != act)
        )

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

    def audit(self, entry: AuditEntry) -> None:
        """Add a row to the audit trail."""
        self._session.add(AuditRow(**rows.as_columns(entry)))
        self._session.flush()

    def audit_trail(self, ticket: str | None = None) -> tuple[AuditEntry, ...]:
        """The audit trail in the order of writing, of one ticket or of all."""
        query = select(AuditRow).order_by(AuditRow.id)
        if ticket is not None:
            query = query.where(AuditRow.ticket == ticket)
        found = self._session.scalars(query)
        return tuple(AuditEntry(row.at, row.actor, row.event, row.ticket, row.detail) for row in found)

    def _live_lease(self, ticket: str) -> LeaseRow | None:
        if ticket not in self._kept.leases:
            return None
        query = select(LeaseRow).where(LeaseRow.ticket == ticket, LeaseRow.ended_at.is_(None))
        return self._session.scalars(query).first()
