"""The one question before each start with a GPU profile: which lease may this server apply?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import cache
from logging import Logger

from labpool.api_models import LeaseToApply, Problem, ServerStopped, SpawnAsked, Waiting
from labpool.client import PoolClient, PoolRefused, PoolUnavailable

from gpuspawner.hub_errors import GPUsUnavailable, NotStarted, WaitingForGPU

Delivery = Callable[[], Coroutine[None, None, None]]

_AT_ONCE = 8
_DELIVERY_SECONDS = 600.0
_LONGEST_STOP = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class SharedPool:
    """One client for all spawners of this hub, and turns, so that hundreds of starts at once ask a few at a time.

    Args:
        client: The client.
        timeout: Longest wait in seconds of somebody who needs an answer now.
    """

    def __init__(self, client: PoolClient, timeout: float) -> None:
        self.client, self.timeout = client, timeout
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._deliveries: dict[str, tuple[asyncio.Task[None], Delivery]] = {}

    @asynccontextmanager
    async def turn(self, timeout: float | None) -> AsyncIterator[None]:
        """Wait for one's turn to ask; without a timeout as long as it takes.

        Raises:
            PoolUnavailable: those before got no answer in time either.
        """
        try:
            await asyncio.wait_for(self._turns.acquire(), timeout)
        except asyncio.TimeoutError as error:
            raise PoolUnavailable(f"{_AT_ONCE} questions before this one wait for an answer") from error
        try:
            yield
        finally:
            self._turns.release()

    def deliver(self, server: str, delivery: Delivery) -> None:
        """Go on with `delivery` in the background, in place of an earlier one about the same server."""
        self.withdraw(server)
        task = asyncio.ensure_future(delivery())
        self._deliveries[server] = (task, delivery)
        task.add_done_callback(lambda done: self._forget(server, done))

    def delivers(self, server: str) -> bool:
        """Whether something about a server is still on the way."""
        return server in self._deliveries

    def withdraw(self, server: str) -> Delivery | None:
        """Deliver no more what is on the way about a server; give it, so that it can be taken up again."""
        if server not in self._deliveries:
            return None
        task, delivery = self._deliveries.pop(server)
        task.cancel()
        return delivery

    def _forget(self, server: str, task: asyncio.Task[None]) -> None:
        if server in self._deliveries and self._deliveries[server][0] is task:
            del self._deliveries[server]


class Claim:
    """Asks the pool for leases and reports what became of the servers that got one.

    Args:
        pool: The pool's client, signed with the spawner's token, and its turns.
        log: Where a report that could not be delivered is noted.
    """

    def __init__(self, pool: SharedPool, log: Logger) -> None:
        self._pool, self._client, self._log = pool, pool.client, log

    async def obtain(self, asked: SpawnAsked, handler: object) -> LeaseToApply:
        """The lease of (user, server).

        Raises:
            WaitingForGPU: no lease yet; the ticket is filed.
            NotStarted: the pool refused the request for good, with its reason and remedy; or it wants to start what
                a person has just stopped.
            GPUsUnavailable: the pool gives no answer.
        """
        server = _server(asked.user, asked.name)
        if asked.granted_only and self._pool.delivers(server):
            raise NotStarted(409, "server_is_ending", f"The pool has yet to hear that {server} was stopped.")
        stop = self._pool.withdraw(server)  # the user wants it again: a stop that the pool has not heard of is undone
        try:
            return await self._apply(asked, handler)
        except BaseException:
            if stop is not None:
                self._pool.deliver(server, stop)  # nothing starts in its place, so it stands
            raise

    async def _apply(self, asked: SpawnAsked, handler: object) -> LeaseToApply:
        try:
            async with self._pool.turn(self._pool.timeout):
                answer = await self._client.apply(asked)
        except PoolRefused as refusal:
            raise refused(refusal.problem) from refusal
        except PoolUnavailable as error:
            self._log.warning("pool gave no answer for %s: %s", _server(asked.user, asked.name), error)
            raise GPUsUnavailable from error
        if isinstance(answer, Waiting):
            raise WaitingForGPU(handler, answer.path, answer.message, answer.retry_after)
        return answer

    async def report_stopped(self, user: str, name: str, ticket: str, granted_at: str) -> None:
        """Say that a person stopped the server. Where the pool doesn't answer now, it is told as soon as it does.

        Never fails: the server is stopped either way. Lost, as when the hub ends too, the lease ends restart_minutes
        later. `granted_at` (ISO 8601) says which of the ticket's leases that was, "" that it isn't known.
        """
        known = datetime.fromisoformat(granted_at) if granted_at else None
        server = ServerStopped(user=user, name=name, ticket=ticket, granted_at=known)
        tried = self._deliver(lambda: self._client.stopped(server), _server(user, name))
        # until then the hub says that the server is stopping, and the pool doesn't take it for one that died
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(tried.wait(), _LONGEST_STOP)

    def _deliver(self, send: Callable[[], Awaitable[None]], server: str) -> asyncio.Event:
        tried = asyncio.Event()
        self._pool.deliver(server, lambda: self._deliver_until(send, server, tried))
        return tried

    async def _deliver_until(self, send: Callable[[], Awaitable[None]], server: str, tried: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + _DELIVERY_SECONDS, _FIRST_PAUSE
        while True:
            try:
                async with self._pool.turn(None):
                    await send()
                return tried.set()
            except PoolRefused as refusal:
                self._log.warning("the pool refused a report on %s: %s", server, refusal)
                return tried.set()
            except PoolUnavailable as error:
                if clock() > deadline:
                    self._log.warning("report on %s did not reach the pool: %s", server, error)
                    return None
            tried.set()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def refused(problem: Problem) -> NotStarted:
    """The pool's refusal in the hub's form, in the pool's own words."""
    return NotStarted(problem.status, problem.reason, f"{problem.detail} {problem.remedy}".strip())


@cache
def shared_pool(url: str, token: str, timeout: float) -> SharedPool:
    """The one SharedPool of an address in this hub. `timeout` in seconds."""
    return SharedPool(shared_client(url, token, timeout), timeout)


@cache
def shared_client(url: str, token: str, timeout: float) -> PoolClient:
    """One client of an address in this hub, so that all share its connections. `timeout` in seconds."""
    return PoolClient(url, token, timeout)


def _server(user: str, name: str) -> str:
    return f"{user}:{name}" if name else user
