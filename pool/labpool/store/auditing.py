"""Writing and reading the audit trail: chained, and with pseudonyms in place of people's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from labpool.store.audit_chain import AuditRecord, Link, hash_after
from labpool.store.kept import Kept
from labpool.store.models import AuditRow
from labpool.store.people import hidden_in, shown_in
from labpool.store.records import AuditEntry, Part
from labpool.store.writing import Columns

_NAMES = ("id", "at", "actor", "ticket", "event", "detail", "hash")
COLUMNS = (AuditRow.id, AuditRow.at, AuditRow.actor, AuditRow.ticket, AuditRow.event, AuditRow.detail, AuditRow.hash)


@dataclass(frozen=True, slots=True)
class AuditWanted:
    """Which rows somebody wants to see; None: any. An actor is a person's name, a pseudonym or a part of labpool.

    Of many the newest `limit` ones; `before` is the number of the first row that is too new.
    """

    ticket: str | None = None
    actor: str | None = None
    event: str | None = None
    since: datetime | None = None
    limit: int | None = None
    before: int | None = None


def next_row(kept: Kept, entry: AuditEntry, pseudonym: Callable[[str], str]) -> tuple[AuditEntry, Columns]:
    """The trail's next row, to be written, and the entry as it then stands there."""
    if entry.at.tzinfo is None:
        raise ValueError(f"got the naive time {entry.at}; the store keeps aware times only")
    written = _without_names(kept, entry, pseudonym)
    number = kept.audited.number + 1
    unhashed = AuditRecord(number, written.at, written.actor, written.ticket, written.event, written.detail, "")
    record = unhashed._replace(hash=hash_after(kept.audited.hash, unhashed))
    kept.audited = Link(number, record.hash)
    return written, dict(zip(_NAMES, record, strict=True))


def trail(session: Session, kept: Kept, ticket: str | None) -> tuple[AuditEntry, ...]:
    """The trail in the order of writing, of one ticket or of all, people under their names as far as they are known."""
    found = newest_rows(session, AuditWanted(ticket), kept.pseudonyms)
    return tuple(AuditEntry(row.at, row.actor, row.event, row.ticket, row.detail) for row in reversed(found))


def newest_rows(session: Session, wanted: AuditWanted, pseudonyms: Mapping[str, str]) -> list[AuditRecord]:
    """The rows that are wanted, newest first, with people's names as far as `pseudonyms` has them."""
    names = {pseudonym: name for name, pseudonym in pseudonyms.items()}
    query = select(*COLUMNS).where(*_conditions(wanted, pseudonyms)).order_by(AuditRow.id.desc()).limit(wanted.limit)
    found = (AuditRecord(*row) for row in session.execute(query))
    return [row._replace(actor=names.get(row.actor, row.actor), detail=shown_in(row.detail, names)) for row in found]


def _conditions(wanted: AuditWanted, pseudonyms: Mapping[str, str]) -> Iterator[ColumnElement[bool]]:
    if wanted.ticket is not None:
        yield AuditRow.ticket == wanted.ticket
    if wanted.actor is not None:
        yield AuditRow.actor == pseudonyms.get(wanted.actor, wanted.actor)
    if wanted.event is not None:
        yield AuditRow.event == wanted.event
    if wanted.since is not None:
        yield AuditRow.at >= wanted.since
    if wanted.before is not None:
        yield AuditRow.id < wanted.before


def _without_names(kept: Kept, entry: AuditEntry, pseudonym: Callable[[str], str]) -> AuditEntry:
    """The same with pseudonyms. A text of the hub's, say, may name the ticket's user: the detail is looked through."""
    ticket = kept.tickets.get(entry.ticket) if entry.ticket else None
    people = {ticket.user} if ticket else set[str]()
    if not isinstance(entry.actor, Part):
        people.add(entry.actor)
    pseudonyms = {name: pseudonym(name) for name in sorted(people)}
    actor = entry.actor.value if isinstance(entry.actor, Part) else pseudonyms[entry.actor]
    return replace(entry, actor=actor, detail=hidden_in(entry.detail, pseudonyms, pseudonyms))
