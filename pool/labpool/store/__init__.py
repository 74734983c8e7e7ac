"""What the pool remembers: tickets, slots, leases, reservations, notices and the audit trail in SQL."""

from labpool.store.audit_check import Head, head_line
from labpool.store.database import connect, migrate, name_of
from labpool.store.erasing import Erased
from labpool.store.errors import StoreUnavailable, UnusableDatabase
from labpool.store.past import read_past
from labpool.store.reading import UnreadableStore
from labpool.store.records import (
    Acts,
    AuditEntry,
    Delivery,
    EndedRun,
    Notice,
    Outcome,
    Part,
    Preferences,
    ReservationSeries,
    Way,
)
from labpool.store.store import Store, Transaction

__all__ = [
    "Acts",
    "AuditEntry",
    "Delivery",
    "EndedRun",
    "Erased",
    "Head",
    "Notice",
    "Outcome",
    "Part",
    "Preferences",
    "ReservationSeries",
    "Store",
    "StoreUnavailable",
    "Transaction",
    "UnreadableStore",
    "UnusableDatabase",
    "Way",
    "connect",
    "head_line",
    "migrate",
    "name_of",
    "read_past",
]
