"""Starting the servers of granted tickets through the hub, a few times and never twice at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus

from labpool.domain.reasons import RefusalReason
from labpool.domain.tickets import EndReason, Ticket
from labpool.hub_api import HubClient, HubRefused, HubUnavailable
from labpool.service.desk import Desk
from labpool.service.trail import note, unnamed
from labpool.store import Part, Transaction

BETWEEN_TRIES = 10.0
"""Seconds from a failed try to the next one: a hub that is busy gets time to recover."""

_LOOKS_UNNAMED = 3
"""The answer of a start that failed comes just after the last look that names the server."""

_FINAL = {
    RefusalReason.NOT_A_MEMBER.value: EndReason.NO_LONGER_MEMBER,
    RefusalReason.UNKNOWN_PROJECT.value: EndReason.PROJECT_REMOVED,
    RefusalReason.UNKNOWN_PROFILE.value: EndReason.PROFILE_REMOVED,
    RefusalReason.PROFILE_NOT_IN_PROJECT.value: EndReason.PROFILE_REMOVED,
}
_FOR_NOW = frozenset(
    {"too_many_servers", "pool_unavailable", "server_is_ending", "server_is_lost", "cluster_unavailable"}
)
"""Reasons of the spawner's that pass by themselves or with what the user does: such a try counts for nothing."""

_LOG = logging.getLogger(__name__)


class Starter:
    """Asks the hub to start servers, each in a task of its own: a slow start holds nobody else up."""

    def __init__(self, hub: HubClient) -> None:
        self._hub = hub
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._servers: dict[str, tuple[str, str]] = {}
        self._not_before: dict[str, float] = {}
        self._unnamed: dict[str, int] = {}
        self._tries = _Tries()

    def under_way(self, named: Collection[tuple[str, str]] | None = None) -> Mapping[str, tuple[str, str]]:
        """Tickets whose server is being started by us now, each with that server: its user and name.

        `named` are the servers that the hub has at this look. Who waits for its answer on one that it has named and,
        look after look, names no more, waits no longer: on Python 3.10 a hub never answers a start during which
        somebody stops the server.
        """
        if named is not None:
            self._give_up_unnamed(named)
        return {ticket: self._servers[ticket] for ticket in self._tasks}

    def _give_up_unnamed(self, servers: Collection[tuple[str, str]]) -> None:
        for ticket, server in self._servers.items():
            if server in servers:
                self._unnamed[ticket] = 0
            elif ticket in self._unnamed:
                self._unnamed[ticket] += 1
                if self._unnamed[ticket] == _LOOKS_UNNAMED:
                    self._tasks[ticket].cancel()

    def start(self, ticket: Ticket, desk: Desk, then: Callable[[], None], looked: bool = True) -> None:
        """Begin to start a ticket's server, unless that is under way or failed a moment ago; call `then` when done.

        Where nobody `looked` before, something may stand in its way that a look sees, such as a server that runs: if
        the hub says so, the try counts for nothing, and the next one need not wait.
        """
        now = asyncio.get_running_loop().time()
        if ticket.id in self._tasks or now < self._not_before.get(ticket.id, 0.0):
            return
        self._not_before[ticket.id] = now + BETWEEN_TRIES
        task = asyncio.create_task(self._try(ticket, desk, looked))
        self._tasks[ticket.id], self._servers[ticket.id] = task, (ticket.user, ticket.name)
        task.add_done_callback(lambda _: self._done(ticket.id, then))

    def _done(self, ticket_id: str, then: Callable[[], None]) -> None:
        task = self._tasks.pop(ticket_id)
        del self._servers[ticket_id]
        self._unnamed.pop(ticket_id, None)
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("a start broke off", extra={"ticket": ticket_id}, exc_info=task.exception())
        then()

    async def _try(self, ticket: Ticket, desk: Desk, looked: bool) -> None:
        options = {
            "project": ticket.project,
            "profile": ticket.profile,
            "hours": ticket.duration / timedelta(hours=1),
        }
        if await desk.find_lease(ticket.id) is None:
            return  # it ended since the look that wanted it started
        try:
            await self._hub.start(ticket.user, ticket.name, options)
            outcome = "the hub starts it"
        except HubUnavailable as error:
            # Not the server's fault, so it costs no try.
            said = unnamed(error, ticket)
            _LOG.warning("the hub can't be asked to start a server: %s", said, extra={"ticket": ticket.id})
            return
        except HubRefused as error:
            if not looked and error.status == HTTPStatus.BAD_REQUEST:
                del self._not_before[ticket.id]
                return
            outcome = str(error)
            _LOG.warning("a server was not started: %s", unnamed(error, ticket), extra={"ticket": ticket.id})
            if (reason := _final(error)) is not None:
                await desk.end(ticket.id, reason, Part.POOL)
                return
            if error.status == HTTPStatus.TOO_MANY_REQUESTS or error.reason in _FOR_NOW:
                return
        await self._tries.count(ticket.id, outcome, desk)


class _Tries:
    """Counts tries, in one transaction those that end while another one is written."""

    def __init__(self) -> None:
        self._ended: dict[str, str] = {}
        self._one_at_a_time = asyncio.Lock()

    async def count(self, ticket_id: str, outcome: str, desk: Desk) -> None:
        """Count the try of a ticket, which ended so."""
        self._ended[ticket_id] = outcome
        async with self._one_at_a_time:
            if ticket_id not in self._ended:
                return  # it was written with another one
            ended, self._ended = self._ended, {}
            try:
                await desk.change(lambda change: _count_tries(change, ended, desk), replan=False)
            except BaseException:
                self._ended = ended | self._ended  # each of them is tried by its own task
                del self._ended[ticket_id]
                raise


def _final(error: HubRefused) -> EndReason | None:
    """Why trying again is of no use; None where it may be."""
    if error.status == HTTPStatus.NOT_FOUND:  # the hub no longer knows the user
        return EndReason.NO_LONGER_MEMBER
    return _FINAL.get(error.reason)


def _count_tries(change: Transaction, ended: Mapping[str, str], desk: Desk) -> None:
    for ticket_id, outcome in ended.items():
        lease = change.lease_of(ticket_id)
        if lease is not None:
            change.save_lease(replace(lease, start_tries=lease.start_tries + 1))
            note(change, desk.clock(), Part.POOL, "start_tried", ticket_id, outcome)
