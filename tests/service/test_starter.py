"""What the pool makes of a start that the hub refuses, or never answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import cast

from labpool.domain.tickets import END_REASONS, State, Ticket
from labpool.hub_api import HubClient
from labpool.service import starter as starting
from labpool.service.desk import Desk
from labpool.service.starter import Starter

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


def test_granted_ticket_may_end_with_each_reason_that_makes_further_tries_useless():
    assert set(starting._FINAL.values()) <= END_REASONS[State.GRANTED]
