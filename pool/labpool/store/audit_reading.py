"""The audit trail of a pool that may be running, for who looks at its database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from labpool.store.audit_chain import AuditRecord
from labpool.store.audit_check import Head, Verdict, verify
from labpool.store.auditing import COLUMNS
from labpool.store.models import AuditRow, PersonRow
from labpool.store.people import shown_in
from labpool.store.reading import reading

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows somebody wants to see; None: any. An actor is a person's name, a pseudonym or a part of labpool."""

    ticket: str | None = None
    actor: str | None = None
    since: datetime | None = None


def read_audit(url: str, wanted: Wanted) -> list[AuditRecord]:
    """The rows that are wanted, oldest first, with people's names as far as they are known.

    Raises:
        UnreadableStore: the database can't be read as a pool's store.
    """
    with reading(url) as session:
        pseudonyms = {row.name: row.pseudonym for row in session.scalars(select(PersonRow))}
        query = select(*COLUMNS).order_by(AuditRow.id)
        if wanted.ticket is not None:
            query = query.where(AuditRow.ticket == wanted.ticket)
        if wanted.actor is not None:
            query = query.where(AuditRow.actor == pseudonyms.get(wanted.actor, wanted.actor))
        if wanted.since is not None:
            query = query.where(AuditRow.at >= wanted.since)
        names = {pseudonym: name for name, pseudonym in pseudonyms.items()}
        found = (AuditRecord(*row) for row in session.execute(query).all())
        return [
            row._replace(actor=names.get(row.actor, row.actor), detail=shown_in(row.detail, names)) for row in found
        ]


def verify_audit(url: str, heads: Iterable[Head]) -> Verdict:
    """Whether the trail is as it was written, also by the heads that were kept elsewhere.

    Raises:
        UnreadableStore: the database can't be read as a pool's store.
    """
    with reading(url) as session:
        rows = session.execute(select(*COLUMNS).order_by(AuditRow.id).execution_options(yield_per=_AT_ONCE))
        records: Iterator[AuditRecord] = (AuditRecord(*row) for row in rows)
        return verify(records, heads)
