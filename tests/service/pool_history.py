"""Histories of a pool as it is served: a real desk and reconciler over a real store, killed and started again.

After each transaction the store is looked at, and what it says is held against the invariants.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count

import pytest
from labpool.domain.planner import plan
from labpool.service import starter
from labpool.service.changes import Changes
from labpool.service.desk import Desk
from labpool.service.pace import seconds_to_next
from labpool.service.reconciler import Reconciler
from labpool.service.setting import Setting
from labpool.store import Store, Transaction
from labpool.store.audit_chain import AuditRecord
from labpool.store.audit_check import verify
from labpool.store.auditing import COLUMNS
from labpool.store.kept import Kept
from labpool.store.models import AuditRow, Base
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.domain.lab import NINE
from tests.domain.rules import must
from tests.service.machines_and_hub import HubInMemory, MachineRoom
from tests.service.stored_pool import Seen, StoredPool, look_at

Step = tuple[str, int, int]
SECOND = timedelta(seconds=1)
INTERVAL, WATCHFUL = 3600.0, 300.0
"""Seconds between two looks of the pool at the most; the second while something has not gone as it should."""


class Killed(Exception):
    """The pool's process ended here."""


class WatchedStore(Store):
    """A store that is looked at after each transaction; its process may be killed just before or after a commit."""

    def __init__(self, engine: Engine, look: Callable[[Kept | None], None]) -> None:
        super().__init__(engine)
        self._look = look
        self.killed = ""

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """As ever, with whom it concerns told of the end."""
        with super().transaction() as change:
            yield change
            self._die("before")
        self._look(self._kept)
        self._die("after")

    def _die(self, when: str) -> None:
        if self.killed == when:
            raise Killed(f"just {when} a commit")


class PoolHistory:
    """One pool from its first start on, and what may happen around it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.furnish()
        self._seen: list[Seen] = []
        self._rows = 0
        self.start()

    def furnish(self) -> None:
        """Begin at nine, with machines and a hub in memory."""
        self.now, self.told = NINE, StoredPool(plan)
        self.rules = self.told.world.catalogue
        self.room, self.hub = MachineRoom(), HubInMemory(self)

    def start(self) -> None:
        """Start the pool on what its store has."""
        self.store = WatchedStore(self.engine, self._look_at_store)
        found = Setting(self.room.machines.inventory(()), self.rules)
        self.desk = Desk(self.store, found, lambda: self.now, Changes())
        self.reconciler = Reconciler(self.desk, self.room, self.hub, lambda found: Setting(found, self.rules), INTERVAL)

    async def begin(self) -> None:
        """What the pool does before it answers anybody."""
        await self.reconciler.begin()

    async def look(self) -> None:
        """Let the pool look round and wait for what it starts; then judge what its store said meanwhile."""
        await self.reconciler.look()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        self.judge()

    def judge(self) -> None:
        """Hold all that was seen against the invariants."""
        seen, self._seen = self._seen, []
        for each in seen:
            self.told.see(each)

    async def wait(self, span: timedelta) -> None:
        """Let time pass; the pool looks round as often as it would by itself."""
        target = self.now + span
        while self.hub.answers and (ahead := self.now + await self._pause()) < target:
            self.now = ahead
            await self.look()
        self.now = target

    async def end(self) -> None:
        """5: once all parts answer again, nothing that doesn't run is held for longer than the time of a restart."""
        self.hub.answers = True
        self.room.stuck.clear()
        for number in range(len(self.room.machines.nodes)):
            self.room.machines.give_back(number, self.now)
        self.room.running.clear()
        await self.look()
        await self.wait(self.rules.queue.restart + SECOND)
        for _ in range(3):  # what ends makes room, what is granted there is started, and that is seen
            await self.look()
        leaked = {lease.ticket for lease in self.told.world.leases} - self.room.running.keys()
        must(not leaked, f"5: {leaked} keep devices although nothing of them runs")
        self.check_chain()

    def check_chain(self) -> None:
        """8: of the audit trail nothing was changed or taken away."""
        with Session(self.engine) as session:
            records = session.execute(select(*COLUMNS).order_by(AuditRow.id)).all()
        broken = verify((AuditRecord(*row) for row in records), ()).broken
        must(broken is None, f"8: {broken}")

    async def _pause(self) -> timedelta:
        """Until the pool's next look. What is stuck or not heard of would make it look every second for hours."""
        view = await self.desk.view(lambda view: (view.open_tickets(), view.live_leases()))
        leases = {lease.ticket: lease for lease in view[1]}
        held = [(ticket, leases[ticket.id]) for ticket in view[0] if ticket.id in leases]
        calm = [each for each in held if each[0].id not in self.room.stuck and not self.room.lost(each[0].id)]
        interval = INTERVAL if len(calm) == len(held) else WATCHFUL
        rules = self.desk.catalogue.queue
        return timedelta(seconds=max(seconds_to_next(calm, self.desk.looks_at, rules, self.now, interval), 1))

    def _look_at_store(self, remembered: Kept | None) -> None:
        assert remembered is not None
        self._seen.append(look_at(self.engine, self.desk, remembered, self._rows))
        self._rows += len(self._seen[-1].trail)


def emptied(engine: Engine) -> None:
    """Forget all, so that the next history begins with an empty store and no new schema."""
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


@contextmanager
def counted() -> Iterator[None]:
    """The same ids each time, and no pause between two tries to start, which real time would measure."""
    numbers = count(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_hex", lambda length: f"{next(numbers):0{2 * length}x}")
        patch.setattr(starter, "BETWEEN_TRIES", 0.0)
        yield
