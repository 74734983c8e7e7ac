"""A real pool process that is there in a blink: forked off a process that has imported all of it."""

from __future__ import annotations

import multiprocessing
import signal
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess

from labpool.store import connect
from labpool.store.models import LeaderRow
from sqlalchemy import func, update

from tests.crash.failpoints import Failpoint, serve
from tests.real_hub import is_healthy, wait_until
from tests.service.pool_process import PoolProcess

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["labpool.service.__main__"])


@dataclass
class ForkedPool:
    """What `pool` describes, to be killed and started again and again; each start is a process of its own."""

    pool: PoolProcess
    killed_itself: bool = False
    """Whether the process of the last start came to its failpoint."""
    _process: ForkServerProcess | None = None

    def start(self, failpoint: Failpoint | None = None) -> None:
        """Start it and wait until it answers; where it kills itself before that, start it again without failpoint."""
        if self._process is not None:
            self._vacate_seat()
        self._process = _FORKS.Process(target=serve, args=(self.pool.environment(), self.pool.log, failpoint))
        self._process.start()
        wait_until(lambda: not self.lives() or self._answers(), f"the pool's answer (log: {self.pool.log})", 120)
        self.killed_itself = not self.lives()
        if self.killed_itself:
            died_there = failpoint is not None and self._process.exitcode == -signal.SIGKILL
            assert died_there, f"the pool ended by itself (log: {self.pool.log})"
            self.start()
            self.killed_itself = True

    def _answers(self) -> bool:
        return is_healthy(f"{self.pool.url}/healthz")

    def lives(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def wait(self, seconds: float) -> None:
        """Wait until it has killed itself, so long at most."""
        assert self._process is not None
        self._process.join(seconds)
        self.killed_itself = self.killed_itself or self._process.exitcode == -signal.SIGKILL

    def kill(self) -> None:
        """kill -9, if it did not do that itself."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def _vacate_seat(self) -> None:
        """With PostgreSQL a killed leader's time must be up before the next one leads; here it is known to be dead."""
        if self.pool.database.startswith("postgresql"):
            engine = connect(self.pool.database)
            with engine.begin() as connection:
                connection.execute(update(LeaderRow).values(expires_at=func.clock_timestamp()))
            engine.dispose()
