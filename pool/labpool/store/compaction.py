"""Taking what was erased out of the database's files too."""

from __future__ import annotations

import logging
import time

from sqlalchemy import Engine

from labpool.store.database import compact
from labpool.store.errors import StoreUnavailable

AGAIN_SECONDS = 60.0
_LOG = logging.getLogger(__name__)


class Compaction:
    """Compacts a database after somebody was erased; where it has no room for that, from time to time until it has."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._due: float | None = None

    def ask(self) -> None:
        """From now on it is due."""
        self._due = time.monotonic()

    def go_on(self) -> None:
        """Compact it if that is due. It is between two transactions, and nobody waits for another answer than ever."""
        if self._due is None or time.monotonic() < self._due:
            return
        try:
            compact(self._engine)
        except StoreUnavailable as error:
            self._due = time.monotonic() + AGAIN_SECONDS
            _LOG.warning("what was erased is left in the database's files, to be tried again in a minute: %s", error)
        else:
            self._due = None
