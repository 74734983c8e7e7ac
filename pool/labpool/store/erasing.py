"""Erasing a person: the records stay, and nobody can tell any more whose they are."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Table, delete, func, select, update
from sqlalchemy.orm import Session

from labpool.store.kept import Kept
from labpool.store.models import FREE_TEXT, PERSON, Base, LeaseRow, PersonRow, ReservationRow, TicketRow
from labpool.store.people import pseudonym_of, word
from labpool.store.sending_models import PreferencesRow


@dataclass(frozen=True, slots=True)
class Erased:
    """Under which pseudonym a person's records stay, and how many tickets and leases these are."""

    pseudonym: str
    tickets: int
    leases: int


def erase(session: Session, kept: Kept, name: str) -> Erased | None:
    """Replace a person's name by the pseudonym in all marked columns, and remove the key; None for nobody.

    How the person wanted to be told, and the addresses for that, are deleted.
    """
    if name not in kept.pseudonyms and not _is_known(session, name):
        return None
    pseudonym = pseudonym_of(session.connection(), kept, name)
    tickets = session.scalars(select(TicketRow).where(TicketRow.user == name)).all()
    for ticket in tickets:
        ticket.groups = [pseudonym if group == name else group for group in ticket.groups]
    leases = session.scalar(select(func.count()).select_from(LeaseRow).where(LeaseRow.user == name)) or 0
    session.flush()
    session.execute(delete(PreferencesRow).where(PreferencesRow.user == name))
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if column.info == PERSON:
                session.execute(update(table).where(column == name).values({column: pseudonym}))
            elif column.info == FREE_TEXT:
                _replace_words(session, table, column, name, pseudonym)
    session.execute(delete(PersonRow).where(PersonRow.name == name))
    session.expire_all()
    del kept.pseudonyms[name]
    return Erased(pseudonym, len(tickets), leases)


def _is_known(session: Session, name: str) -> bool:
    asked = session.scalar(select(TicketRow.id).where(TicketRow.user == name).limit(1))
    made = session.scalar(select(ReservationRow.id).where(ReservationRow.made_by == name).limit(1))
    return asked is not None or made is not None


def _replace_words(session: Session, table: Table, column: Column[str], name: str, pseudonym: str) -> None:
    finds = word(name)
    for text in session.scalars(select(column).where(column.contains(name, autoescape=True)).distinct()).all():
        session.execute(update(table).where(column == text).values({column: finds.sub(pseudonym, text)}))
