"""The round that sends what lies in the outbox, one for each way, beside all that the pool decides.

Each delivery is claimed first: in a short transaction its time is moved to when it would be tried again. Then it is
sent, without any lock or transaction, and marked after. A process that is killed between sending and marking leaves a
delivery that is tried again, so a notice goes out at least once and, rarely, twice: better than "it is your turn" lost.
Both tries bear the same id (Message-ID, webhook-id), by which a repeat is recognised.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from labpool.service.desk import Desk
from labpool.service.sending.attempts import NeverSent, NotSent
from labpool.service.trail import note
from labpool.store import Delivery, Outcome, Part, Transaction, Way

CLAIM = timedelta(minutes=2)
"""So long a try has at the most; after that the delivery counts as not sent."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=1)
AT_ONCE = 8
"""Deliveries under way together; of one user only one."""

_IDLE, _REST = 30.0, 0.2
_LOG = logging.getLogger(__name__)

Done = TypeVar("Done")
Send = Callable[[Delivery], Awaitable[Outcome]]
"""Sends one delivery, or finds it unwanted.

Raises:
    NotSent, NeverSent: it did not work.
    PutOff: not now.
"""


class PutOff(Exception):
    """This is no time to send it."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"until {until.isoformat()}")
        self.until = until


def pause_after(tries: int) -> timedelta:
    """How long to wait after so many tries: twice as long each time."""
    return min(FIRST_PAUSE * 2.0 ** min(tries - 1, 20), LONGEST_PAUSE)


class Round:
    """Sends by one way until cancelled.

    Args:
        desk: Where the outbox is, and the clock.
        way: What it sends by.
        send: Sends one delivery.
    """

    def __init__(self, desk: Desk, way: Way, send: Send) -> None:
        self._desk, self._way, self._send = desk, way, send
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Event()

    async def run(self) -> None:
        """Look into the outbox after each change, and at least every half minute."""
        try:
            while True:
                count = self._desk.changes.count
                self._room.clear()
                try:
                    await self._begin_due()
                except Exception:
                    _LOG.exception("the outbox can't be looked into; trying again", extra={"way": self._way.value})
                await self._news(count)
                await asyncio.sleep(_REST)
        finally:
            for task in self._under_way.values():
                task.cancel()

    async def _news(self, count: int) -> None:
        """Wait for a change after the `count`th, for the end of a delivery, or for half a minute."""
        waiting = {
            asyncio.ensure_future(self._desk.changes.after(count, _IDLE)),
            asyncio.ensure_future(self._room.wait()),
        }
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _begin_due(self) -> None:
        room = AT_ONCE - len(self._under_way)
        if not room or not await self._desk.view(lambda view: view.outbox.is_due(self._way, self._desk.clock())):
            return
        for delivery in await self._write(lambda change: self._claim(change, room)):
            task = asyncio.create_task(self._deliver(delivery))
            self._under_way[delivery.user] = task
            task.add_done_callback(partial(self._over, delivery.user))

    async def _write(self, work: Callable[[Transaction], Done]) -> Done:
        return await self._desk.change(work, replan=False, shown=False)

    def _claim(self, change: Transaction, room: int) -> tuple[Delivery, ...]:
        now = self._desk.clock()
        return change.outbox.claim(self._way, now, now + CLAIM, room, tuple(self._under_way))

    def _over(self, user: str, task: asyncio.Task[None]) -> None:
        del self._under_way[user]
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("what became of a delivery was not noted", exc_info=task.exception())
        self._room.set()

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            outcome = await asyncio.wait_for(self._send(delivery), CLAIM.total_seconds() / 2)
        except PutOff as put_off:
            until = put_off.until
            await self._write(lambda change: change.outbox.put_off(delivery.id, until, uncounted=True))
        except (NotSent, asyncio.TimeoutError) as error:
            await self._failed(delivery, error)
        except Exception as error:  # ours: it is given up after a day like any other, not tried for ever
            _LOG.exception("a delivery broke off", extra={"delivery": delivery.id})
            await self._failed(delivery, error)
        else:
            await self._write(lambda change: change.outbox.done(delivery.id, self._desk.clock(), outcome))
            self._desk.counts.notice_done(self._way, outcome)

    async def _failed(self, delivery: Delivery, error: Exception) -> None:
        now, said = self._desk.clock(), str(error) or "took too long"
        self._desk.counts.try_failed(self._way)
        _LOG.warning("a notice was not sent: %s", said, extra={"delivery": delivery.id, "way": self._way.value})
        if not isinstance(error, NeverSent) and now < delivery.made_at + GIVE_UP_AFTER:
            again = now + pause_after(delivery.tries)
            await self._write(lambda change: change.outbox.put_off(delivery.id, again))
            return
        ticket = delivery.notice.ticket if delivery.notice else None

        def give_up(change: Transaction) -> None:
            change.outbox.done(delivery.id, now, Outcome.GIVEN_UP)
            detail = f"by {self._way.value} to {change.pseudonym(delivery.user)}, after {delivery.tries} tries"
            note(change, now, Part.POOL, "notice_given_up", ticket, detail)

        await self._write(give_up)
        self._desk.counts.notice_done(self._way, Outcome.GIVEN_UP)
