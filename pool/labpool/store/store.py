"""The store: transactions in which a decision reads what it needs and writes what it decided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from labpool.store.compaction import Compaction
from labpool.store.errors import told_apart
from labpool.store.kept import Kept, read
from labpool.store.leadership import Leadership
from labpool.store.records import Acts
from labpool.store.sqlite import READS_ONLY
from labpool.store.transaction import Transaction


class Store:
    """All the pool remembers, in one database that nobody else writes.

    What every decision looks at stays in memory between transactions; after a failed one it is read anew.

    Args:
        engine: The database.
        leadership: Says in each transaction whether this process leads; None where nobody else can.
    """

    def __init__(self, engine: Engine, leadership: Leadership | None = None) -> None:
        self._engine, self._leadership = engine, leadership
        self._compaction = Compaction(engine)
        self._reader = engine.execution_options(**{READS_ONLY: True})
        self._kept: Kept | None = None
        self._acts: Acts | None = None
        self._turns = 0  # of transactions: one for each beginning and each end
        self._one_at_a_time = Lock()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction: all of it is kept, or, where an error leaves the block, nothing. One at a time.

        It is never tried again: whether a lost commit was kept, nobody can tell but who asked.

        Raises:
            StoreUnavailable: the database is down, locked, full or too slow.
            NotLeading: another process decides.
        """
        with self._one_at_a_time:
            self._turns += 1
        try:
            with told_apart(), self._engine.begin() as connection:
                self._check(connection)
                kept = self._kept.copy() if self._kept else read(connection)
                change = Transaction(connection, kept)
                yield change
                change.send()
                if change.erased:
                    self._compaction.ask(connection)
        except BaseException:
            self._done(None)
            raise
        self._done(kept)
        if change.erased:
            self._kept = None
        self._compaction.go_on()

    @contextmanager
    def view(self) -> Iterator[Transaction]:
        """A transaction for reading, without making a writer wait.

        Raises:
            StoreUnavailable: the database is down or too slow.
            NotLeading: another process decides, so what this one remembers may be wrong.
        """
        known, turns = self._kept, self._turns
        with told_apart(), self._reader.begin() as connection:
            self._check(connection)
            if known is None:
                known = read(connection)
                self._remember(known, turns)
            yield Transaction(connection, known)

    def acts(self) -> Acts:
        """What admins said and nobody has ended, as the last transaction left it.

        Asked by what waits for nobody, and many times in a page, it is not read from the database again, nor does it
        ask who leads: what follows from it is written by a transaction, which does.
        """
        if self._acts is None:
            with self.view() as view:
                self._acts = view.acts()
        return self._acts

    def known_pseudonym(self, name: str) -> str | None:
        """A person's pseudonym as the last transaction left it; None where none is known, or nothing was read yet."""
        known = self._kept
        return known.pseudonyms.get(name) if known else None

    def _remember(self, found: Kept, turns: int) -> None:
        """Keep what was read at a start, unless a transaction was under way meanwhile, which knows better."""
        with self._one_at_a_time:
            if turns == self._turns and not turns % 2 and self._kept is None:
                self._kept = found

    def _done(self, kept: Kept | None) -> None:
        with self._one_at_a_time:
            self._turns += 1
            self._kept = kept
        if kept is not None:
            self._acts = kept.acts

    def _check(self, connection: Connection) -> None:
        if self._leadership is not None:
            self._leadership.check(connection)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()
