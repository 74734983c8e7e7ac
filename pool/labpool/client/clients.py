"""The client twice: awaiting and blocking. Both only send what `wire` makes and read what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import httpx

from labpool.api_models import (
    ErasedView,
    FormView,
    HomeView,
    NoticeView,
    ReservationAsked,
    ReservationView,
    ServerStopped,
    SpawnAnswer,
    SpawnAsked,
    TicketView,
    UsageView,
)
from labpool.client import wire


class PoolClient:
    """Ask the pool from async code.

    Args:
        url: The service's address without a trailing slash, such as http://127.0.0.1:8100/services/pool.
        token: Spawner token, ticket token or hub token; which calls it allows is the pool's to say.
        timeout: Longest wait for an answer in seconds.

    Every call raises `PoolUnavailable` where no usable answer came and `PoolRefused` where the pool said no.
    """

    def __init__(self, url: str, token: str, timeout: float = 5.0) -> None:
        self._url, self._token = url.rstrip("/"), token
        self._http = httpx.AsyncClient(timeout=timeout, trust_env=False)

    async def __aenter__(self) -> PoolClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def apply(self, asked: SpawnAsked) -> SpawnAnswer:
        """The lease of (user, server), or the ticket that was filed for it."""
        return await self._send(wire.apply(asked))

    async def stopped(self, stopped: ServerStopped) -> None:
        """Say that a person stopped a leased server: its lease ends."""
        await self._send(wire.stopped(stopped))

    async def form(self, user: str, groups: Sequence[str]) -> FormView:
        """The live part of a user's spawn form."""
        return await self._send(wire.form(user, groups))

    async def home(self, user: str) -> HomeView:
        """A user's open tickets and leases."""
        return await self._send(wire.home(user))

    async def claim(self, ticket: str) -> None:
        """Say that a person used the ticket's server."""
        await self._send(wire.claim(ticket))

    async def notice(self, ticket: str) -> NoticeView | None:
        """The ticket's current notice."""
        return await self._send(wire.notice(ticket))

    async def extend(self, ticket: str, hours: float) -> TicketView:
        """Let the ticket's lease end so many hours later; give the ticket as it is then."""
        return await self._send(wire.extend(ticket, hours))

    async def reservations(self) -> list[ReservationView]:
        """Reservations of one's own projects and maintenance; all for an admin."""
        return await self._send(wire.reservations())

    async def reserve(self, asked: ReservationAsked) -> ReservationView:
        """Reserve, or close a machine; where that does harm, the refusal's `problem.confirm` says how much."""
        return await self._send(wire.reserve(asked))

    async def cancel_reservation(self, reservation: str) -> None:
        """Cancel a reservation: all its times to come, and what is left of one that is on."""
        await self._send(wire.cancel_reservation(reservation))

    async def erase_person(self, name: str) -> ErasedView:
        """Keep a person's records under a pseudonym that leads to nobody; for admins, and never undone."""
        return await self._send(wire.erase_person(name))

    async def usage(self, first: str | None, last: str | None, by: str) -> UsageView:
        """GPU-hours by project, user, flavour or month; from and to as dates or times, left out: this month."""
        return await self._send(wire.usage(first, last, by))

    async def usage_csv(self, first: str | None, last: str | None, by: str) -> str:
        """The same as CSV."""
        return await self._send(wire.usage_csv(first, last, by))

    async def _send(self, call: wire.Call[wire.Answer]) -> wire.Answer:
        try:
            response = await self._http.send(call.request(self._url, self._token))
        except httpx.HTTPError as error:
            raise wire.unavailable(self._url, error) from error
        return call.read(response)


class SyncPoolClient:
    """Ask the pool from blocking code; arguments and errors as for `PoolClient`."""

    def __init__(self, url: str, token: str, timeout: float = 5.0) -> None:
        self._url, self._token = url.rstrip("/"), token
        self._http = httpx.Client(timeout=timeout, trust_env=False)

    def __enter__(self) -> SyncPoolClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def home(self, user: str) -> HomeView:
        """A user's open tickets and leases."""
        return self._send(wire.home(user))

    def claim(self, ticket: str) -> None:
        """Say that a person used the ticket's server."""
        self._send(wire.claim(ticket))

    def notice(self, ticket: str) -> NoticeView | None:
        """The ticket's current notice."""
        return self._send(wire.notice(ticket))

    def extend(self, ticket: str, hours: float) -> TicketView:
        """Let the ticket's lease end so many hours later; give the ticket as it is then."""
        return self._send(wire.extend(ticket, hours))

    def reservations(self) -> list[ReservationView]:
        """Reservations of one's own projects and maintenance; all for an admin."""
        return self._send(wire.reservations())

    def reserve(self, asked: ReservationAsked) -> ReservationView:
        """Reserve, or close a machine; where that does harm, the refusal's `problem.confirm` says how much."""
        return self._send(wire.reserve(asked))

    def cancel_reservation(self, reservation: str) -> None:
        """Cancel a reservation: all its times to come, and what is left of one that is on."""
        self._send(wire.cancel_reservation(reservation))

    def erase_person(self, name: str) -> ErasedView:
        """Keep a person's records under a pseudonym that leads to nobody; for admins, and never undone."""
        return self._send(wire.erase_person(name))

    def usage(self, first: str | None, last: str | None, by: str) -> UsageView:
        """GPU-hours by project, user, flavour or month; from and to as dates or times, left out: this month."""
        return self._send(wire.usage(first, last, by))

    def usage_csv(self, first: str | None, last: str | None, by: str) -> str:
        """The same as CSV."""
        return self._send(wire.usage_csv(first, last, by))

    def _send(self, call: wire.Call[wire.Answer]) -> wire.Answer:
        try:
            response = self._http.send(call.request(self._url, self._token))
        except httpx.HTTPError as error:
            raise wire.unavailable(self._url, error) from error
        return call.read(response)
