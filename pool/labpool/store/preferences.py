"""How users want to be told, in the database."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy.orm import Session

from labpool.store.records import Preferences
from labpool.store.sending_models import PreferencesRow

_SETS = ("email_kinds", "webhook_kinds")


class PreferencesBook:
    """Preferences within one transaction; only a `Transaction` makes one."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, user: str) -> Preferences:
        """A user's preferences; those of somebody who set none are empty."""
        row = self._session.get(PreferencesRow, user)
        if row is None:
            return Preferences(user)
        values = {field.name: getattr(row, field.name) for field in fields(Preferences)}
        return Preferences(**values | {name: frozenset(values[name]) for name in _SETS})

    def save(self, preferences: Preferences) -> None:
        """Write a user's preferences."""
        values = {field.name: getattr(preferences, field.name) for field in fields(Preferences)}
        self._session.merge(PreferencesRow(**values | {name: sorted(values[name]) for name in _SETS}))
        self._session.flush()
