"""Which of several pool processes decides.

With PostgreSQL it is a row with an epoch that its holder renews, by the database's clock. Each transaction of a leader
looks at the row, and none begins while another one is under way; so a leader that was paused, and replaced meanwhile,
can neither write nor act on what it remembers (a fencing token, as in M. Kleppmann, "How to do distributed locking").
With SQLite it is a lock on a file of the same machine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, Engine, func, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from labpool.store.errors import told_apart
from labpool.store.file_lock import FileLock
from labpool.store.models import LeaderRow
from labpool.store.sqlite import READS_ONLY

LEASE_SECONDS = 10
"""So long after its last sign of life a leader may be replaced."""

_ONLY = 1
_LEADER = select(LeaderRow.epoch, LeaderRow.holder)


class NotLeading(Exception):
    """Another process decides; nothing was read or written."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Whether this process leads, and who does."""

    leads: bool
    leader: str


class Leadership(ABC):
    """One process's part in the question who leads."""

    @abstractmethod
    def seek(self) -> Seat:
        """Lead on, or begin to where nobody does. Who was replaced, or gave up, never leads again.

        Raises:
            StoreUnavailable: the database is down or too slow.
        """

    @abstractmethod
    def check(self, connection: Connection) -> None:
        """Let only a leader go on in this transaction.

        Raises:
            NotLeading: another process leads.
        """

    @abstractmethod
    def give_up(self) -> None:
        """Let another one lead at once."""


def leadership(engine: Engine, holder: str) -> Leadership:
    """The part of the process called `holder`, a name that no other process has."""
    if engine.dialect.name == "sqlite":
        return _ByFile(Path(engine.url.database or ""), holder)
    return _ByRow(engine, holder)


class _ByFile(Leadership):
    def __init__(self, database: Path, holder: str) -> None:
        self._lock, self._holder = FileLock(database), holder
        self._leads = self._gave_up = False

    def seek(self) -> Seat:
        self._leads = not self._gave_up and self._lock.take(self._holder)
        return Seat(self._leads, self._holder if self._leads else self._lock.holder())

    def check(self, connection: Connection) -> None:
        if not self._leads:
            raise NotLeading

    def give_up(self) -> None:
        self._leads, self._gave_up = False, True
        self._lock.give_back()


class _ByRow(Leadership):
    def __init__(self, engine: Engine, holder: str) -> None:
        self._engine, self._holder = engine, holder
        self._epoch: int | None = None
        self._gave_up = False

    def seek(self) -> Seat:
        with told_apart(), Session(self._engine.execution_options(**{READS_ONLY: True})) as session:
            leader = session.scalars(select(LeaderRow).where(_holds())).first()
        if leader is not None and leader.holder != self._holder:
            return Seat(False, leader.holder)
        with told_apart(), Session(self._engine) as session, session.begin():
            row = self._take(session)  # others may have been quicker, so it looks again
            seat, epoch = Seat(row.holder == self._holder, row.holder), row.epoch
        if seat.leads:
            self._epoch = epoch  # not before it is sure
        return Seat(seat.leads and not self._gave_up, seat.leader)

    def check(self, connection: Connection) -> None:
        found = connection.execute(_LEADER).first()
        # the holder too, for after a restore the epochs are counted anew
        if self._gave_up or found is None or tuple(found) != (self._epoch, self._holder):
            raise NotLeading

    def give_up(self) -> None:
        self._gave_up = True
        with told_apart(), Session(self._engine) as session, session.begin():
            row = session.get(LeaderRow, _ONLY)
            if row is not None and row.holder == self._holder:
                row.expires_at = func.clock_timestamp()

    def _take(self, session: Session) -> LeaderRow:
        row = session.get(LeaderRow, _ONLY) or LeaderRow(id=_ONLY, epoch=0, holder="")
        if self._gave_up or (self._epoch is not None and (row.epoch, row.holder) != (self._epoch, self._holder)):
            return row
        if self._epoch is None:
            if session.scalars(select(LeaderRow.id).where(_holds())).first() is not None:
                return row
            row.epoch, row.holder = row.epoch + 1, self._holder
        row.expires_at = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS)
        session.add(row)
        session.flush()
        return row


def _holds() -> ColumnElement[bool]:
    """Its holder may not be replaced yet."""
    return LeaderRow.expires_at > func.clock_timestamp()
