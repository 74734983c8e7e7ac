"""The audit trail of a pool that may be running, for who looks at its database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import select

from labpool.store.audit_chain import AuditRecord
from labpool.store.audit_check import Head, Verdict, verify
from labpool.store.auditing import COLUMNS, AuditWanted, newest_rows
from labpool.store.models import AuditRow, PersonRow
from labpool.store.reading import reading

_AT_ONCE = 1000


def read_audit(url: str, wanted: AuditWanted) -> list[AuditRecord]:
    """The rows that are wanted, oldest first, with people's names as far as they are known.

    Raises:
        UnreadableStore: the database can't be read as a pool's store.
    """
    with reading(url) as session:
        pseudonyms = {row.name: row.pseudonym for row in session.scalars(select(PersonRow))}
        return newest_rows(session, wanted, pseudonyms)[::-1]


def verify_audit(url: str, heads: Iterable[Head]) -> Verdict:
    """Whether the trail is as it was written, also by the heads that were kept elsewhere.

    Raises:
        UnreadableStore: the database can't be read as a pool's store.
    """
    with reading(url) as session:
        rows = session.execute(select(*COLUMNS).order_by(AuditRow.id).execution_options(yield_per=_AT_ONCE))
        records: Iterator[AuditRecord] = (AuditRecord(*row) for row in rows)
        return verify(records, heads)
