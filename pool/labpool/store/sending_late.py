"""A transaction's way to the database, on which some rows wait for each other."""

from __future__ import annotations

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from labpool.domain.tickets import Ticket
from labpool.store import rows, writing
from labpool.store.models import AuditRow, TicketRow


class SendingLate:
    """Sends tickets and rows of the trail as late as can be, since a decision often saves a ticket twice.

    Whoever takes `connection` or `session` finds all that was to be sent before, but for the first the trail, on which
    nothing hangs.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tickets: dict[str, tuple[Ticket, bool]] = {}
        self._trail: list[writing.Columns] = []
        self._begun: Session | None = None

    @property
    def connection(self) -> Connection:
        """For plain statements."""
        self._send_tickets()
        return self._connection

    @property
    def session(self) -> Session:
        """For what is not asked or written with every decision: its beginning and end cost as much as two rows."""
        self.send()
        self._begun = self._begun or Session(self._connection)
        return self._begun

    def ticket(self, ticket: Ticket, new: bool) -> None:
        """Send a ticket, `new` where the database has no row of it."""
        _, was_new = self._tickets.get(ticket.id, (None, False))
        self._tickets[ticket.id] = (ticket, new or was_new)

    def trail(self, row: writing.Columns) -> None:
        """Send a row of the audit trail."""
        self._trail.append(row)

    def send(self) -> None:
        """Send all that waits."""
        self._send_tickets()
        trail, self._trail = self._trail, []
        writing.add(self._connection, AuditRow, trail)
        if self._begun is not None:
            self._begun.flush()

    def _send_tickets(self) -> None:
        if not self._tickets:
            return
        tickets, self._tickets = self._tickets, {}
        for ticket, new in tickets.values():
            if new:
                writing.add(self._connection, TicketRow, [rows.ticket_columns(ticket)])
            else:
                writing.change(self._connection, TicketRow, "id", ticket.id, rows.ticket_columns(ticket))
