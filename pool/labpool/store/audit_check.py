"""Whether the audit trail is as it was written: each row against the one before, all against heads kept elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import chain, pairwise

from labpool.store.audit_chain import BEGINNING, AuditRecord, Link, hash_after


class Fault(str, Enum):
    """What was done to the trail."""

    REMOVED = "removed"
    CHANGED = "changed"
    INSERTED = "inserted"
    CUT = "cut"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Break:
    """The first row that is not as it was written, and what that means."""

    fault: Fault
    row: int
    message: str


@dataclass(frozen=True, slots=True)
class Head:
    """The trail's last row at a time, as it was written down in a second place."""

    at: datetime
    link: Link


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many rows were looked at, how many heads of a second place they were compared with, and what was found."""

    rows: int
    heads: int
    broken: Break | None


def head_line(head: Head) -> str:
    """How a head is written down: {"at": …, "row": …, "hash": …}."""
    return json.dumps({"at": head.at.isoformat(), "row": head.link.number, "hash": head.link.hash})


def heads_in(lines: Iterable[str]) -> list[Head]:
    """The heads of a file, also where syslog wrote something before each. A line that was cut off is passed over."""
    return [head for head in map(_head_in, lines) if head is not None]


def verify(records: Iterable[AuditRecord], heads: Iterable[Head]) -> Verdict:
    """Compare all rows, in order of their numbers, with their hashes and with `heads`; stop at the first bad one."""
    kept = sorted(heads, key=lambda head: head.link.number)
    by_row = {head.link.number: head for head in reversed(kept)}  # of two for one row the one written down first
    before, previous, known = BEGINNING, BEGINNING, BEGINNING
    for record, following in pairwise(chain(records, (None,))):
        if record is None:
            break
        broken = _at(record, following, previous, before) or _beside(record, known, by_row)
        if broken:
            return Verdict(previous.number, len(kept), broken)
        before, previous = previous, Link(record.number, record.hash)
        known = previous if record.number in by_row else known
    return Verdict(previous.number, len(kept), _cut(previous, kept))


def _head_in(line: str) -> Head | None:
    try:
        told = json.loads(line[line.index("{") :])
        return Head(datetime.fromisoformat(told["at"]), Link(int(told["row"]), str(told["hash"])))
    except (ValueError, KeyError, TypeError):
        return None


def _at(record: AuditRecord, following: AuditRecord | None, previous: Link, before: Link) -> Break | None:
    """What is wrong with a row where the one before it is right."""
    expected = previous.number + 1
    if record.number < expected:
        return _inserted(record.number)
    if record.number > expected:
        return _missing(expected, record.number - 1)
    if record.hash == hash_after(previous.hash, record):
        return None
    if previous.number and record.hash == hash_after(before.hash, record._replace(number=previous.number)):
        return _inserted(previous.number)
    return _unlike(record, following, previous)


def _unlike(record: AuditRecord, following: AuditRecord | None, previous: Link) -> Break:
    """What was done to a row that does not follow on the one before it; the row after it tells more."""
    number = record.number
    if following is not None:
        if following.hash == hash_after(previous.hash, following._replace(number=number)):
            return _inserted(number)
        if following.hash != hash_after(record.hash, following):
            said = f"Row {number} does not follow on the row before it, nor the next one on it: a row between them was "
            return Break(Fault.REMOVED, number, f"{said}removed and the later ones were numbered anew.")
    said = f"Row {number} is not as it was written: it, or row {number - 1} with its hash, was changed afterwards."
    return Break(Fault.CHANGED, number, said)


def _missing(first: int, last: int) -> Break:
    missing = f"Row {first} is" if first == last else f"Rows {first} to {last} are"
    return Break(Fault.REMOVED, first, f"{missing} missing: somebody removed what was written there.")


def _beside(record: AuditRecord, known: Link, heads: Mapping[int, Head]) -> Break | None:
    head = heads.get(record.number)
    if head is None or head.link.hash == record.hash:
        return None
    return Break(
        Fault.REWRITTEN,
        record.number,
        f"Row {record.number} has another hash than was written down elsewhere on {_time(head)}: somebody rewrote the "
        f"trail from some row after {known.number} on, and calculated all hashes anew.",
    )


def _cut(last: Link, heads: list[Head]) -> Break | None:
    if not heads or heads[-1].link.number <= last.number:
        return None
    head = heads[-1]
    return Break(
        Fault.CUT,
        last.number + 1,
        f"The trail ends with row {last.number}, but row {head.link.number} was written down elsewhere on "
        f"{_time(head)}: somebody cut off its end, or put an older database in its place.",
    )


def _inserted(number: int) -> Break:
    said = f"Row {number} was put in afterwards, between rows that follow on each other."
    return Break(Fault.INSERTED, number, said)


def _time(head: Head) -> str:
    return f"{head.at:%Y-%m-%d at %H:%M:%S %Z}"
