"""A real audit trail in a real database, and everything that somebody with access to its file may do to it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from labpool.domain.tickets import Ticket
from labpool.store import AuditEntry, Head, Part, Store, connect, head_line, migrate
from labpool.store.audit_chain import BEGINNING, AuditRecord, hash_after

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)
ROWS = 12
HEADS_AFTER = (4, 8, 12)
Rows = list[AuditRecord]


def write_trail(folder: Path) -> tuple[Path, Path]:
    """A store with twelve rows in its trail, and the file of heads that were kept meanwhile."""
    path, heads = folder / "pool.sqlite", folder / "audit-heads"
    engine = connect(f"sqlite:///{path}")
    migrate(engine)
    store = Store(engine)
    with store.transaction() as change:
        change.save_ticket(Ticket("t1", "ada", frozenset(), "", "vision", "gpu-1", "gpu", 1, timedelta(hours=2), NOW))
    for number in range(1, ROWS + 1):
        at = NOW + timedelta(minutes=number)
        with store.transaction() as change:
            change.audit(
                AuditEntry(at, "ada" if number % 2 else Part.POOL, f"event-{number}", "t1", f"detail {number}")
            )
            link = change.audited()
        if number in HEADS_AFTER:
            with heads.open("a") as file:
                file.write(f"{head_line(Head(at, link))}\n")
    store.close()
    return path, heads


def alter(path: Path, how: Callable[[Rows], Rows]) -> None:
    """Write other rows in place of those that are there."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        columns = "id, at, actor, ticket, event, detail, hash"
        found = database.execute(f"SELECT {columns} FROM audit ORDER BY id").fetchall()
        rows = [
            AuditRecord(row[0], datetime.fromisoformat(row[1]).replace(tzinfo=timezone.utc), *row[2:]) for row in found
        ]
        database.execute("DELETE FROM audit")
        for row in how(rows):
            at = row.at.strftime("%Y-%m-%d %H:%M:%S.%f")
            values = (row.number, at, row.actor, row.ticket, row.event, row.detail, row.hash)
            database.execute(f"INSERT INTO audit ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def numbered(rows: Rows) -> Rows:
    """The rows with numbers from 1 on."""
    return [row._replace(number=number) for number, row in enumerate(rows, 1)]


def chained(rows: Rows) -> Rows:
    """The rows numbered and chained anew, as labpool itself does it."""
    previous, done = BEGINNING.hash, Rows()
    for row in numbered(rows):
        previous = hash_after(previous, row)
        done.append(row._replace(hash=previous))
    return done


def changed(rows: Rows, place: int) -> Rows:
    """The rows, the one at `place` telling something else."""
    return [row._replace(detail="nothing of note") if row.number == place else row for row in rows]


def rehashed(rows: Rows, place: int) -> Rows:
    """The rows, the one at `place` telling something else and its own hash fitting that."""
    rows = changed(rows, place)
    row = rows[place - 1]
    rows[place - 1] = row._replace(hash=hash_after(rows[place - 2].hash, row))
    return rows


def forged_after(rows: Rows, place: int) -> Rows:
    """The rows with one more after `place`, its hash fitting the one before."""
    new = rows[place - 1]._replace(number=place + 1, event="forged")
    new = new._replace(hash=hash_after(rows[place - 1].hash, new))
    return numbered([*rows[:place], new, *rows[place:]])


ALTERATIONS: dict[str, tuple[Callable[[Rows], Rows], str, int]] = {
    "removed": (lambda rows: [row for row in rows if row.number != 5], "removed", 5),
    "first removed": (lambda rows: rows[1:], "removed", 1),
    "removed and numbered anew": (lambda rows: numbered(rows[:4] + rows[5:]), "removed", 5),
    "changed": (lambda rows: changed(rows, 5), "changed", 5),
    "changed with its hash": (lambda rows: rehashed(rows, 5), "changed", 6),
    "last changed": (lambda rows: changed(rows, 12), "changed", 12),
    "inserted with a fitting hash": (lambda rows: forged_after(rows, 5), "inserted", 6),
    "inserted with any hash": (lambda rows: numbered([*rows[:5], rows[2], *rows[5:]]), "inserted", 6),
    "numbered below the first": (lambda rows: [rows[3]._replace(number=-3), *rows], "inserted", -3),
    "two exchanged": (lambda rows: numbered([*rows[:4], rows[5], rows[4], *rows[6:]]), "inserted", 5),
    "cut": (lambda rows: rows[:9], "cut", 10),
    "all removed": (lambda rows: [], "cut", 1),
    "changed and all hashes calculated anew": (lambda rows: chained(changed(rows, 6)), "rewritten", 8),
    "removed and all hashes calculated anew": (lambda rows: chained(rows[:2] + rows[3:]), "rewritten", 4),
    "cut and filled up again": (lambda rows: chained([*rows[:9], *rows[:5]]), "rewritten", 12),
}
