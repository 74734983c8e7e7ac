"""What the pool makes of a start that the hub refuses, or never answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import cast

import pytest
from labpool.domain.tickets import END_REASONS, State, Ticket
from labpool.hub_api import HubClient, HubUnavailable
from labpool.service import starter as starting
from labpool.service.desk import Desk
from labpool.service.starter import Starter
from labpool.store import StoreUnavailable, Transaction

SERVER = ("ada", "night")
NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
TICKET = Ticket("t1", *(SERVER[0], frozenset(), SERVER[1]), "vision", "gpu-1", "gpu", 1, timedelta(hours=1), NOON)


class SilentHub(HubClient):
    """Takes every start and answers none."""

    async def start(self, user: str, name: str, options: Mapping[str, object]) -> None:
        await asyncio.Event().wait()  # for ever


class LeasedDesk:
    """Stands in for the desk: everybody holds a lease."""

    async def find_lease(self, ticket: str) -> object:
        return object()


async def test_server_that_the_hub_has_named_and_names_no_more_is_not_waited_for() -> None:
    starter, over = Starter(SilentHub("http://127.0.0.1:1", "no-token")), asyncio.Event()
    starter.start(TICKET, cast(Desk, LeasedDesk()), over.set)
    for named in ([], [], [], [], [SERVER], [SERVER], [], []):  # it takes a moment until the hub names it
        assert starter.under_way(named) == {"t1": SERVER}
    starter.under_way([])
    await asyncio.wait_for(over.wait(), 5)
    assert starter.under_way([]) == {}


class PromptHub(HubClient):
    """Takes every start at once."""

    async def start(self, user: str, name: str, options: Mapping[str, object]) -> None:
        pass


class BusyDesk(LeasedDesk):
    """Stands in for the desk: writes when it is let, and fails as often as it is told."""

    def __init__(self, fails: int = 0) -> None:
        self.fails, self.goes_on, self.written = fails, asyncio.Event(), list[set[str]]()

    async def change(self, work: Callable[[Transaction], None], replan: bool) -> None:
        seen = set[str]()
        await self.goes_on.wait()
        if self.fails:
            self.fails -= 1
            raise StoreUnavailable("the disk is full")
        work(cast(Transaction, SeenTickets(seen)))
        self.written.append(seen)


@dataclass
class SeenTickets:
    """Stands in for a transaction: notes which tickets' leases are looked for, and knows none."""

    seen: set[str]

    def lease_of(self, ticket: str) -> None:
        self.seen.add(ticket)


@pytest.mark.parametrize("fails", [0, 1])
async def test_tries_that_end_while_another_is_written_are_written_together_and_none_is_lost(fails: int) -> None:
    desk, starter = BusyDesk(fails), Starter(PromptHub("http://127.0.0.1:1", "no-token"))
    for number in range(4):
        starter.start(replace(TICKET, id=f"t{number}"), cast(Desk, desk), lambda: None)
    for _ in range(10):
        await asyncio.sleep(0)
    desk.goes_on.set()
    while starter.under_way():
        await asyncio.sleep(0)
    first, *others = ["t0", "t1", "t2", "t3"]
    assert desk.written == ([{first}, {*others}] if not fails else [{*others}])


class FailingHub(HubClient):
    """Fails at every start, and says for whom."""

    async def start(self, user: str, name: str, options: Mapping[str, object]) -> None:
        raise HubUnavailable(f"the hub answered 502: no route to the server of {user}")


async def test_log_of_a_start_that_the_hub_could_not_be_asked_for_names_nobody(caplog: pytest.LogCaptureFixture):
    starter, over = Starter(FailingHub("http://127.0.0.1:1", "no-token")), asyncio.Event()
    starter.start(TICKET, cast(Desk, LeasedDesk()), over.set)
    await asyncio.wait_for(over.wait(), 5)
    assert "no route to the server of its user" in caplog.text
    assert TICKET.user not in caplog.text


def test_granted_ticket_may_end_with_each_reason_that_makes_further_tries_useless():
    assert set(starting._FINAL.values()) <= END_REASONS[State.GRANTED]
