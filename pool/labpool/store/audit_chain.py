"""The chain through the audit trail: each row carries a hash over what it says and over the hash of the row before."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from typing import NamedTuple


class Link(NamedTuple):
    """A row's number and its hash, 64 hexadecimal digits."""

    number: int
    hash: str


BEGINNING = Link(0, "0" * 64)
"""What the first row hangs on."""


class AuditRecord(NamedTuple):
    """A row of the audit trail as it is stored, people under their pseudonyms."""

    number: int
    at: datetime
    actor: str
    ticket: str | None
    event: str
    detail: str
    hash: str


def hash_of(previous: str, number: int, at: datetime, actor: str, ticket: str | None, event: str, detail: str) -> str:
    """SHA-256 over the JSON array of the previous row's hash and what the row says: ASCII, no spaces, time in UTC."""
    time = at.astimezone(timezone.utc).isoformat(timespec="microseconds")
    said = json.dumps([previous, number, time, actor, ticket, event, detail], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(said.encode("ascii")).hexdigest()


def hash_after(previous: str, row: AuditRecord) -> str:
    """The hash that `row` must have where the row before it has `previous`."""
    return hash_of(previous, row.number, row.at, row.actor, row.ticket, row.event, row.detail)
