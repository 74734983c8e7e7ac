"""What the pool remembers: tickets, slots, leases, reservations, notices and the audit trail in SQL."""

from labpool.store.database import connect, migrate
from labpool.store.past import UnreadableStore, read_past
from labpool.store.records import (
    AuditEntry,
    Delivery,
    EndedRun,
    Notice,
    Outcome,
    Preferences,
    ReservationSeries,
    Way,
)
from labpool.store.store import Store, Transaction

__all__ = [
    "AuditEntry",
    "Delivery",
    "EndedRun",
    "Notice",
    "Outcome",
    "Preferences",
    "ReservationSeries",
    "Store",
    "Transaction",
    "UnreadableStore",
    "Way",
    "connect",
    "migrate",
    "read_past",
]
