"""The client for blocking code."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from types import TracebackType

import httpx

from labpool.api_models import (
    AddressConfirmed,
    AuditAsked,
    AuditPage,
    DeviceView,
    DrainAsked,
    ErasedView,
    FenceAsked,
    FormView,
    GrantAsked,
    HomeView,
    NoticeView,
    OfferTaken,
    OverrideAsked,
    OverrideView,
    PoolView,
    PreferencesAsked,
    PreferencesSaved,
    PreferencesView,
    ReloadView,
    ReservationAsked,
    ReservationView,
    ServerAsked,
    ServerStopped,
    SpawnAnswer,
    SpawnAsked,
    TicketPage,
    TicketView,
    ToldNotice,
    UsageView,
    WithdrawalView,
)
from labpool.client import admin_calls, preference_calls, ticket_calls, wire
from labpool.client.streams import PATIENCE, Events, Told


class SyncPoolClient:
    """Ask the pool from blocking code; arguments and errors as for `PoolClient`."""

    def __init__(self, url: str, token: str, timeout: float = 5.0) -> None:
        self._url, self._token, self._timeout = url.rstrip("/"), token, timeout
        self._http = httpx.Client(timeout=timeout, trust_env=False)

    def __enter__(self) -> SyncPoolClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def apply(self, asked: SpawnAsked) -> SpawnAnswer:
        """The lease of (user, server), or the ticket that was filed for it; by the spawner."""
        return self._send(wire.apply(asked))

    def stopped(self, stopped: ServerStopped) -> None:
        """Say that a person stopped a leased server: its lease ends; by the spawner."""
        self._send(wire.stopped(stopped))

    def form(self, user: str, groups: Sequence[str]) -> FormView:
        """The live part of a user's spawn form; by the spawner."""
        return self._send(wire.form(user, groups))

    def home(self, user: str) -> HomeView:
        """A user's open tickets and leases; by the spawner."""
        return self._send(wire.home(user))

    def claim(self, ticket: str) -> None:
        """Say that a person used the ticket's server; by that server."""
        self._send(wire.claim(ticket))

    def notice(self, ticket: str) -> NoticeView | None:
        """The ticket's current notice; by its server."""
        return self._send(wire.notice(ticket))

    def pool(self) -> PoolView:
        """What is free, what is out of service and how many wait."""
        return self._send(ticket_calls.pool())

    def profiles(self) -> FormView:
        """What each profile of one's projects would meet now."""
        return self._send(ticket_calls.profiles())

    def tickets(
        self, states: Sequence[str] = (), project: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> TicketPage:
        """Tickets that one may see, newest first; go on with the page's `cursor`."""
        return self._send(ticket_calls.tickets(states, project, limit, cursor))

    def ticket(self, ticket: str) -> TicketView:
        """One ticket."""
        return self._send(ticket_calls.ticket(ticket))

    def ask(self, asked: ServerAsked, key: str = "") -> TicketView:
        """Ask for a server of one's own; repeated with the same `key` within a day it is the same ticket."""
        return self._send(ticket_calls.ask(asked, key))

    def leave(self, ticket: str) -> TicketView:
        """Leave the queue."""
        return self._send(ticket_calls.leave(ticket))

    def ready(self, ticket: str) -> TicketView:
        """Be granted again after a missed turn."""
        return self._send(ticket_calls.ready(ticket))

    def switch(self, ticket: str) -> TicketView:
        """Stop the CPU server of the ticket's name, so that the one with GPUs starts."""
        return self._send(ticket_calls.switch(ticket))

    def instead(self, ticket: str, offer: OfferTaken) -> TicketView:
        """Take one of a waiting ticket's `sooner` in its place."""
        return self._send(ticket_calls.instead(ticket, offer))

    def again(self, ticket: str, starts_again: bool) -> TicketView:
        """Say whether it starts again by itself when its GPUs are taken back."""
        return self._send(ticket_calls.again(ticket, starts_again))

    def behind(self, ticket: str, other: str) -> TicketView:
        """Let another waiting ticket of one's own go first, where it gains from that."""
        return self._send(ticket_calls.behind(ticket, other))

    def extend(self, ticket: str, hours: float) -> TicketView:
        """Let the ticket's lease end so many hours later; give the ticket as it is then."""
        return self._send(ticket_calls.extend(ticket, hours))

    def end(self, ticket: str, why: str = "") -> TicketView:
        """Give the GPUs back now; `why` is for admins, and its owner is told."""
        return self._send(ticket_calls.end(ticket, why))

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
        """GPU-hours by project, user, flavour, month or term; `first` and `last` as dates or times, else this month."""
        return self._send(wire.usage(first, last, by))

    def usage_csv(self, first: str | None, last: str | None, by: str) -> str:
        """The same as CSV."""
        return self._send(wire.usage_csv(first, last, by))

    def preferences(self) -> PreferencesView:
        """How the token's user is told of what happens to a ticket."""
        return self._send(preference_calls.preferences())

    def save_preferences(self, asked: PreferencesAsked) -> PreferencesSaved:
        """Say all of how one wants to be told. Told just now: the secret of a webhook that is new."""
        return self._send(preference_calls.save_preferences(asked))

    def ask_confirmation(self) -> PreferencesView:
        """Have the mail that confirms an address sent again; the link in the earlier one is void."""
        return self._send(preference_calls.ask_confirmation())

    def confirm_address(self, link: AddressConfirmed) -> PreferencesView:
        """Confirm an address by the token that was mailed to it."""
        return self._send(preference_calls.confirm_address(link))

    def renew_webhook_secret(self) -> PreferencesSaved:
        """Have the webhook signed with a new secret; the old one is void at once."""
        return self._send(preference_calls.renew_webhook_secret())

    def grant(self, ticket: str, asked: GrantAsked) -> TicketView:
        """Let a waiting ticket start ahead of all others; harm as in `reserve`."""
        return self._send(admin_calls.grant(ticket, asked))

    def devices(self) -> list[DeviceView]:
        """All GPUs, and who holds which."""
        return self._send(admin_calls.devices())

    def drains(self) -> list[WithdrawalView]:
        """What is out of service by an admin's word."""
        return self._send(admin_calls.drains())

    def drain(self, asked: DrainAsked) -> WithdrawalView:
        """Let nothing new start on a machine or a GPU; harm as in `reserve`."""
        return self._send(admin_calls.drain(asked))

    def undrain(self, drain: str) -> None:
        """Put it into service again."""
        self._send(admin_calls.undrain(drain))

    def fence(self, asked: FenceAsked) -> WithdrawalView:
        """Confirm that nothing of before runs on a silent machine."""
        return self._send(admin_calls.fence(asked))

    def overrides(self) -> list[OverrideView]:
        """Rules that differ from pool.yaml's, with the file's values."""
        return self._send(admin_calls.overrides())

    def override(self, asked: OverrideAsked) -> OverrideView:
        """Change a rule; harm as in `reserve`."""
        return self._send(admin_calls.override(asked))

    def end_override(self, override: str, broken: int = 0) -> None:
        """Let the file's value hold again, although up to so many promises break."""
        self._send(admin_calls.end_override(override, broken))

    def audit(self, about: AuditAsked) -> AuditPage:
        """Who did what, newest first; go on with the page's `cursor`."""
        return self._send(admin_calls.audit(about))

    def reload(self) -> ReloadView:
        """Read pool.yaml again now."""
        return self._send(admin_calls.reload())

    def notices(self, after: int | None = None) -> Iterator[ToldNotice]:
        """One's own notices as they come, those after the one with that number, until the pool ends the stream."""
        return self._follow(ticket_calls.notices(after), Events("notice", ToldNotice))

    def events(self, ticket: str) -> Iterator[TicketView]:
        """One ticket now and whenever it has changed, until it has ended or the pool ends the stream."""
        return self._follow(ticket_calls.events(ticket), Events("ticket", TicketView))

    def _follow(self, call: wire.Call[None], events: Events[Told]) -> Iterator[Told]:
        for line in self._lines(call):
            if (told := events.after(line)) is not None:
                yield told

    def _lines(self, call: wire.Call[None]) -> Iterator[str]:
        asked = call.request(self._url, self._token)
        try:
            with self._http.stream(asked.method, asked.url, headers=asked.headers, timeout=PATIENCE) as response:
                if response.is_error:
                    response.read()
                call.check(response)
                yield from response.iter_lines()
        except httpx.HTTPError as error:
            raise wire.unavailable(self._url, error) from error

    def answer_to_queued(self, request: str) -> bytes:
        """The body of the answer to a request that was queued, by its id; that of `Queued` while it waits."""
        call = wire.answer_to_queued(request)
        return call.read(self._exchange(call))

    def _send(self, call: wire.Call[wire.Answer]) -> wire.Answer:
        deadline = time.monotonic() + self._timeout
        response = self._exchange(call)
        while (queued := wire.queued(response)) is not None:
            if time.monotonic() + queued.retry_after > deadline:
                raise wire.given_up(queued)
            time.sleep(queued.retry_after)  # as the pool asks
            response = self._exchange(wire.answer_to_queued(queued.request))
        return call.read(response)

    def _exchange(self, call: wire.Call[wire.Answer]) -> httpx.Response:
        try:
            return self._http.send(call.request(self._url, self._token))
        except httpx.HTTPError as error:
            raise wire.unavailable(self._url, error) from error
