"""How users want to be told, in the database."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from labpool.store import writing
from labpool.store.records import Preferences
from labpool.store.sending_models import PreferencesRow

_SETS = ("email_kinds", "webhook_kinds")
_OF = select(*PreferencesRow.__table__.columns).where(PreferencesRow.user == bindparam("user"))


class PreferencesBook:
    """Preferences within one transaction; only a `Transaction` makes one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, user: str) -> Preferences:
        """A user's preferences; those of somebody who set none are empty."""
        found = self._connection.execute(_OF, {"user": user}).mappings().first()
        if found is None:
            return Preferences(user)
        values = {field.name: found[field.name] for field in fields(Preferences)}
        return Preferences(**values | {name: frozenset(values[name]) for name in _SETS})

    def save(self, preferences: Preferences) -> None:
        """Write a user's preferences."""
        values = {field.name: getattr(preferences, field.name) for field in fields(Preferences)}
        row = values | {name: sorted(values[name]) for name in _SETS}
        if self._connection.execute(_OF, {"user": preferences.user}).first() is None:
            writing.add(self._connection, PreferencesRow, [row])
        else:
            writing.change(self._connection, PreferencesRow, "user", preferences.user, row)
