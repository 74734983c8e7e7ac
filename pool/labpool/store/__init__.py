"""What the pool remembers: tickets, slots, leases, notices and the audit trail in SQL."""

from labpool.store.database import connect, migrate
from labpool.store.past import UnreadableStore, read_past
from labpool.store.records import AuditEntry, EndedRun, Notice
from labpool.store.store import Store, Transaction

__all__ = [
    "AuditEntry",
    "EndedRun",
    "Notice",
    "Store",
    "Transaction",
    "UnreadableStore",
    "connect",
    "migrate",
    "read_past",
]
