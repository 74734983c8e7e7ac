"""What the pool remembers: tickets, slots, leases, reservations, notices and the audit trail in SQL."""

from labpool.store.audit_check import Head, head_line
from labpool.store.auditing import AuditWanted
from labpool.store.backup_errors import BackupFailed
from labpool.store.backups import note_restored, restore_backup, write_backup
from labpool.store.database import connect, migrate, name_of
from labpool.store.erasing import Erased
from labpool.store.errors import StoreFull, StoreUnavailable, Unstorable, UnusableDatabase
from labpool.store.inbox import Answer, Entry, Inbox
from labpool.store.leadership import Leadership, NotLeading, Seat, leadership
from labpool.store.listing import Wanted
from labpool.store.past import read_past
from labpool.store.reading import UnreadableStore, check_store
from labpool.store.records import (
    Acts,
    AskedOnce,
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
from labpool.store.store import Store
from labpool.store.transaction import Transaction

__all__ = [
    "Acts",
    "Answer",
    "AskedOnce",
    "AuditEntry",
    "AuditWanted",
    "BackupFailed",
    "Delivery",
    "EndedRun",
    "Entry",
    "Erased",
    "Head",
    "Inbox",
    "Leadership",
    "NotLeading",
    "Notice",
    "Outcome",
    "Part",
    "Preferences",
    "ReservationSeries",
    "Seat",
    "Store",
    "StoreFull",
    "StoreUnavailable",
    "Transaction",
    "UnreadableStore",
    "Unstorable",
    "UnusableDatabase",
    "Wanted",
    "Way",
    "check_store",
    "connect",
    "head_line",
    "leadership",
    "migrate",
    "name_of",
    "note_restored",
    "read_past",
    "restore_backup",
    "write_backup",
]
