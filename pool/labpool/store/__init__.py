"""What the pool remembers: tickets, slots, leases, reservations, notices and the audit trail in SQL."""

from labpool.store.backup_errors import BackupFailed
from labpool.store.backups import restore_backup, write_backup
from labpool.store.database import connect, migrate, name_of
from labpool.store.errors import StoreUnavailable, UnusableDatabase
from labpool.store.leadership import Leadership, NotLeading, Seat, leadership
from labpool.store.past import UnreadableStore, read_past
from labpool.store.records import AuditEntry, EndedRun, Notice, ReservationSeries
from labpool.store.store import Store, Transaction

__all__ = [
    "AuditEntry",
    "BackupFailed",
    "EndedRun",
    "Leadership",
    "NotLeading",
    "Notice",
    "ReservationSeries",
    "Seat",
    "Store",
    "StoreUnavailable",
    "Transaction",
    "UnreadableStore",
    "UnusableDatabase",
    "connect",
    "leadership",
    "migrate",
    "name_of",
    "read_past",
    "restore_backup",
    "write_backup",
]
