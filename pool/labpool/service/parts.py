"""What the routes of the service work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from fastapi import Request

from labpool.hub_signin import HubSignin
from labpool.service.changes import Changes
from labpool.service.desk import Desk
from labpool.service.engine_decides import PatientAsking
from labpool.service.head_keeper import HeadKeeper
from labpool.service.leading import Leading
from labpool.service.rates import Rates
from labpool.service.reconciler import Reconciler
from labpool.service.sending.post import Post
from labpool.service.ticket_tokens import TicketTokens
from labpool.service.viewing import Viewer
from labpool.settings import WatchedPoolFile
from labpool.store import Inbox


@dataclass(frozen=True)
class Parts:
    """The pieces of one running pool."""

    desk: Desk
    viewer: Viewer
    reconciler: Reconciler
    leading: Leading
    changes: Changes
    signin: HubSignin
    tokens: TicketTokens
    spawner_token: str
    head_keeper: HeadKeeper
    pool_file: WatchedPoolFile
    post: Post
    inbox: Inbox
    rates: Rates = field(default_factory=Rates)

    @cached_property
    def asking(self) -> PatientAsking:
        """Asks for servers' leases."""
        return PatientAsking(self.desk)


async def parts_of(request: Request) -> Parts:  # else each request would go through another thread for it
    """The parts of the pool that answers `request`."""
    parts = request.app.state.parts
    if not isinstance(parts, Parts):
        raise TypeError("the application was made without its parts; make it with labpool.service.app.make_app")
    return parts
