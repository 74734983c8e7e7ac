"""What the pool remembers: tickets, slots, leases, reservations, notices and the audit trail in SQL."""

from labpool.store.database import connect, migrate
from labpool.store.listing import Wanted
from labpool.store.past import UnreadableStore, read_past
from labpool.store.records import Acts, AskedOnce, AuditEntry, EndedRun, Notice, ReservationSeries
from labpool.store.store import Store, Transaction

__all__ = [
    "Acts",
    "AskedOnce",
    "AuditEntry",
    "EndedRun",
    "Notice",
    "ReservationSeries",
    "Store",
    "Transaction",
    "UnreadableStore",
    "Wanted",
    "connect",
    "migrate",
    "read_past",
]
