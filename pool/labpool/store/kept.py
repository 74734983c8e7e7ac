"""What every decision looks at, kept in memory beside the database."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from labpool.domain.leases import Lease, Slot
from labpool.domain.ledger import Kind
from labpool.domain.tickets import State, Ticket
from labpool.store import rows
from labpool.store.audit_chain import BEGINNING, Link
from labpool.store.ended_runs import EndedRuns
from labpool.store.models import (
    AuditRow,
    LeaseRow,
    LedgerRow,
    OverrideRow,
    PersonRow,
    ReservationRow,
    SlotRow,
    TicketRow,
    WithdrawalRow,
)
from labpool.store.records import Acts, EndedRun, ReservationSeries
from labpool.store.usage import UsageMemory

REMEMBERED = timedelta(days=367)
"""So long before the last one's end runs are read back: the longest period of a budget, and six half-lives of the
longest allowed, when 2 % are left."""


@dataclass(slots=True)
class Kept:
    """What one transaction left.

    Open tickets by id, live leases by ticket, slots by ticket; ended runs in that order; reservations that nobody
    cancelled, and acts of admins that are not over, in the order of making. Those are the very same tuples for as long
    as none is made or ended. Pseudonyms by name; the last link of the audit trail's chain; what usage was
    summed up to, which is the same for all copies.
    """

    tickets: dict[str, Ticket]
    leases: dict[str, Lease]
    slots: dict[str, Slot]
    ended: EndedRuns
    reservations: tuple[ReservationSeries, ...]
    acts: Acts
    pseudonyms: dict[str, str]
    audited: Link
    usage: UsageMemory = field(default_factory=UsageMemory)

    def copy(self) -> Kept:
        """One that may be changed while others read this one."""
        return replace(
            self,
            tickets=dict(self.tickets),
            leases=dict(self.leases),
            slots=dict(self.slots),
            ended=self.ended.copy(),
            pseudonyms=dict(self.pseudonyms),
        )


def read(connection: Connection) -> Kept:
    """Read all of it from the database."""
    session = Session(connection)
    tickets = session.scalars(
        select(TicketRow).where(TicketRow.state != State.ENDED.value).order_by(TicketRow.requested_at, TicketRow.id)
    )
    leases = session.scalars(select(LeaseRow).where(LeaseRow.ended_at.is_(None)).order_by(LeaseRow.id))
    reservations = (
        select(ReservationRow)
        .where(ReservationRow.cancelled_at.is_(None))
        .order_by(ReservationRow.made_at, ReservationRow.id)
    )
    return Kept(
        {row.id: rows.ticket_from(row) for row in tickets},
        {row.ticket: rows.lease_from(row) for row in leases},
        {row.ticket: rows.slot_from(row) for row in session.scalars(select(SlotRow))},
        _ended(session),
        tuple(map(rows.reservation_from, session.scalars(reservations))),
        _acts(session),
        {row.name: row.pseudonym for row in session.scalars(select(PersonRow))},
        _last_link(session),
    )


def _acts(session: Session) -> Acts:
    withdrawals = select(WithdrawalRow).where(WithdrawalRow.ended_at.is_(None))
    overrides = select(OverrideRow).where(OverrideRow.ended_at.is_(None))
    drained = session.scalars(withdrawals.order_by(WithdrawalRow.made_at, WithdrawalRow.id))
    changed = session.scalars(overrides.order_by(OverrideRow.made_at, OverrideRow.id))
    return Acts(tuple(map(rows.withdrawal_from, drained)), tuple(map(rows.override_from, changed)))


def _last_link(session: Session) -> Link:
    last = session.execute(select(AuditRow.id, AuditRow.hash).order_by(AuditRow.id.desc()).limit(1)).first()
    return Link(*last) if last else BEGINNING


def _ended(session: Session) -> EndedRuns:
    last = session.scalar(select(func.max(LeaseRow.ended_at)))
    if last is None:
        return EndedRuns([])
    query = (
        select(
            LedgerRow.project,
            LedgerRow.flavour,
            LedgerRow.devices,
            LedgerRow.start,
            LedgerRow.end,
            LeaseRow.user,
            TicketRow.profile,
            LeaseRow.ends,
            LeaseRow.charge,
        )
        .join(LeaseRow, LeaseRow.id == LedgerRow.lease)
        .join(TicketRow, TicketRow.id == LeaseRow.ticket)
        .where(LedgerRow.kind == Kind.SETTLEMENT.value, LeaseRow.ended_at > last - REMEMBERED)
        .order_by(LeaseRow.ended_at, LeaseRow.id)
    )
    return EndedRuns(
        [
            EndedRun(project, flavour, devices, start, end, user, profile, ends - start, charge)
            for project, flavour, devices, start, end, user, profile, ends, charge in session.execute(query).all()
        ]
    )
