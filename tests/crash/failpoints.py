"""Points at which a pool process kills itself, named from outside: the product knows nothing of them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random

from labpool.service.__main__ import main
from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.engine.interfaces import DBAPIConnection

_WRITES = ("INSERT", "UPDATE", "DELETE")
_NO_DECISION = "leader"
"""The table of who leads, which is written all the time."""


class Decision(str, Enum):
    """A kind of decision, told by the tables that it writes."""

    ANY = "any"
    LEASE = "leases"
    LINE = "the line"
    RULE = "machines, reservations and rules"


_TABLES = {
    Decision.ANY: ("",),
    Decision.LEASE: ("leases", "leased_devices", "ledger"),
    Decision.LINE: ("tickets", "slots"),
    Decision.RULE: ("withdrawals", "reservations", "overrides"),
}
_SHARES = {Decision.ANY: 3, Decision.LEASE: 4, Decision.LINE: 2, Decision.RULE: 1}
_MOST = {
    Decision.ANY: (90, 18),
    Decision.LEASE: (24, 4),
    Decision.LINE: (60, 12),
    Decision.RULE: (4, 2),
}
"""How far a failpoint is drawn from the start: in statements, and in transactions."""


class Where(str, Enum):
    """Where in a transaction that decides something."""

    WITHIN = "after a statement that writes"
    BEFORE = "before the commit"
    AFTER = "after the commit, before the answer"


@dataclass(frozen=True)
class Failpoint:
    """The `number`th time that a process comes to a place in decisions of a kind."""

    where: Where
    decision: Decision
    number: int = 1

    @staticmethod
    def drawn(random: Random) -> Failpoint:
        where = random.choice(list(Where))
        (decision,) = random.choices([*_SHARES], [*_SHARES.values()])
        return Failpoint(where, decision, random.randint(1, _MOST[decision][where is not Where.WITHIN]))

    def __str__(self) -> str:
        return f"{self.where.value}, number {self.number} of decisions on {self.decision.value}"


@dataclass
class _Armed:
    """Listens to SQLAlchemy: the statements and commits are the real ones."""

    failpoint: Failpoint
    _reached: int = 0
    _here: threading.local = field(default_factory=threading.local)

    def listen(self) -> None:
        event.listen(Engine, "after_cursor_execute", self._executed)
        event.listen(Engine, "commit", self._commits)
        event.listen(Engine, "rollback", self._forget)
        self._wrap_commits()

    def _executed(self, connection: Connection, cursor: object, statement: str, *rest: object) -> None:
        kind, _, what = statement.partition(" ")
        table = what.removeprefix("INTO ").removeprefix("FROM ")
        if kind in _WRITES and not table.startswith(_NO_DECISION):
            self._here.wrote = getattr(self._here, "wrote", False) or table.startswith(_TABLES[self.failpoint.decision])
            self._reach(Where.WITHIN)

    def _commits(self, connection: Connection) -> None:
        self._reach(Where.BEFORE)

    def _wrap_commits(self) -> None:
        really = DefaultDialect.do_commit

        def committing(dialect: DefaultDialect, connection: DBAPIConnection) -> None:
            really(dialect, connection)
            self._reach(Where.AFTER)
            self._here.wrote = False

        DefaultDialect.do_commit = committing  # type: ignore[method-assign]  # no event tells of the end of a commit

    def _forget(self, connection: Connection) -> None:
        self._here.wrote = False

    def _reach(self, where: Where) -> None:
        if where is self.failpoint.where and getattr(self._here, "wrote", False):
            self._reached += 1
            if self._reached == self.failpoint.number:
                os.kill(os.getpid(), signal.SIGKILL)


def serve(environment: dict[str, str], log: Path, failpoint: Failpoint | None) -> None:
    """Be a pool's service, in this process, until killed."""
    os.environ.clear()
    os.environ.update(environment)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(written, stream)
    if failpoint is not None:
        _Armed(failpoint).listen()
    sys.exit(main())
