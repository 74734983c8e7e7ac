"""What every decision looks at, kept in memory beside the database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from labpool.domain.leases import Lease, Slot
from labpool.domain.tickets import State, Ticket
from labpool.store import rows
from labpool.store.models import LeaseRow, SlotRow, TicketRow


@dataclass(frozen=True, slots=True)
class Kept:
    """Open tickets by id, live leases by ticket, and slots, as one transaction left them."""

    tickets: dict[str, Ticket]
    leases: dict[str, Lease]
    slots: dict[str, Slot]

    def copy(self) -> Kept:
        """One that may be changed while others read this one."""
        return Kept(dict(self.tickets), dict(self.leases), dict(self.slots))


def read(session: Session) -> Kept:
    """Read all of it from the database."""
    tickets = session.scalars(select(TicketRow).where(TicketRow.state != State.ENDED.value))
    leases = session.scalars(select(LeaseRow).where(LeaseRow.ended_at.is_(None)).order_by(LeaseRow.id))
    return Kept(
        {row.id: rows.ticket_from(row) for row in tickets},
        {row.ticket: rows.lease_from(row) for row in leases},
        {row.ticket: rows.slot_from(row) for row in session.scalars(select(SlotRow))},
    )
