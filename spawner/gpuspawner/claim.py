"""The one question before each start with a GPU profile: which lease may this server apply?"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import cache
from logging import Logger

from labpool.api_models import LeaseToApply, Problem, ServerStarted, ServerStopped, SpawnAsked, Waiting
from labpool.client import PoolClient, PoolError, PoolRefused, PoolUnavailable

from gpuspawner.hub_errors import GPUsUnavailable, NotStarted, WaitingForGPU


class Claim:
    """Asks the pool for leases and reports what became of the servers that got one.

    Args:
        client: The pool's client, signed with the spawner's token.
        log: Where a report that could not be delivered is noted.
    """

    def __init__(self, client: PoolClient, log: Logger) -> None:
        self._client, self._log = client, log

    async def obtain(self, asked: SpawnAsked, handler: object) -> LeaseToApply:
        """The lease of (user, server).

        Raises:
            WaitingForGPU: no lease yet; the ticket is filed.
            NotStarted: the pool refused the request for good, with its reason and remedy.
            GPUsUnavailable: the pool gives no answer.
        """
        try:
            answer = await self._client.apply(asked)
        except PoolRefused as refusal:
            raise refused(refusal.problem) from refusal
        except PoolUnavailable as error:
            self._log.warning("pool gave no answer for %s: %s", _server(asked.user, asked.name), error)
            raise GPUsUnavailable from error
        if isinstance(answer, Waiting):
            raise WaitingForGPU(handler, answer.path, answer.message, answer.retry_after)
        return answer

    async def report_started(self, user: str, name: str, ticket: str) -> None:
        """Say that the server is up. The pool also sees it at its next look at the hub, so a loss is only logged."""
        await self._report(self._client.started(ServerStarted(user=user, name=name, ticket=ticket)), user, name)

    async def report_stopped(self, user: str, name: str, ticket: str) -> None:
        """Say that a person stopped the server; without it the lease ends restart_minutes later."""
        await self._report(self._client.stopped(ServerStopped(user=user, name=name, ticket=ticket)), user, name)

    async def _report(self, sending: Awaitable[None], user: str, name: str) -> None:
        try:
            await sending
        except PoolError as error:
            self._log.warning("report on %s did not reach the pool: %s", _server(user, name), error)


def refused(problem: Problem) -> NotStarted:
    """The pool's refusal in the hub's form, in the pool's own words."""
    return NotStarted(problem.status, problem.reason, f"{problem.detail} {problem.remedy}".strip())


@cache
def shared_client(url: str, token: str, timeout: float) -> PoolClient:
    """One client for all spawners of this hub, so that they share its connections. `timeout` in seconds."""
    return PoolClient(url, token, timeout)


def _server(user: str, name: str) -> str:
    return f"{user}:{name}" if name else user
