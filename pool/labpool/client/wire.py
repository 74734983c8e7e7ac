"""Requests and answers of the pool's API, apart from how they travel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from labpool.api_models import (
    ErasedView,
    FormView,
    HomeView,
    MoreHours,
    NoticeView,
    Problem,
    ReservationAsked,
    ReservationView,
    ServerStopped,
    SpawnAnswer,
    SpawnAsked,
    TicketView,
    UsageView,
)
from labpool.client.errors import PoolRefused, PoolUnavailable

Answer = TypeVar("Answer")
_SPAWN_ANSWER: TypeAdapter[SpawnAnswer] = TypeAdapter(SpawnAnswer)
_RESERVATIONS: TypeAdapter[list[ReservationView]] = TypeAdapter(list[ReservationView])


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One request to the pool, and how its answer's body is read. An empty answer is None."""

    method: str
    path: str
    parse: Callable[[bytes], Answer]
    body: BaseModel | None = None
    query: Mapping[str, Sequence[str]] | None = None
    accept: str = "application/json"

    def request(self, root: str, token: str) -> httpx.Request:
        """The request below `root` (an address without a trailing slash), signed with `token`."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": self.accept}
        content = self.body.model_dump_json() if self.body is not None else None
        params = {key: list(values) for key, values in (self.query or {}).items()}
        return httpx.Request(self.method, root + self.path, params=params, headers=headers, content=content)

    def read(self, response: httpx.Response) -> Answer:
        """What the pool answered.

        Raises:
            PoolUnavailable: the pool failed inside, or its answer has another form than this version knows.
            PoolRefused: the pool said no and why.
        """
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise PoolUnavailable(f"the pool failed on {self.path} with status {response.status_code}")
        if response.status_code >= httpx.codes.BAD_REQUEST:
            raise PoolRefused(_problem(response))
        try:
            return self.parse(response.content)
        except ValidationError as error:
            raise PoolUnavailable(f"the pool's answer on {self.path} has an unknown form: {error}") from error


def apply(asked: SpawnAsked) -> Call[SpawnAnswer]:
    """Ask for the lease of (user, server)."""
    return Call("POST", "/api/v1/spawns", _SPAWN_ANSWER.validate_json, body=asked)


def stopped(server: ServerStopped) -> Call[None]:
    """Report a server that a person stopped."""
    return Call("POST", "/api/v1/spawns/stopped", _nothing, body=server)


def form(user: str, groups: Sequence[str]) -> Call[FormView]:
    """Ask what a user's profiles would meet now."""
    path = f"/api/v1/users/{_segment(user)}/form"
    return Call("GET", path, FormView.model_validate_json, query={"groups": groups})


def home(user: str) -> Call[HomeView]:
    """Ask for a user's open tickets."""
    return Call("GET", f"/api/v1/users/{_segment(user)}/home", HomeView.model_validate_json)


def claim(ticket: str) -> Call[None]:
    """Report the first use of a ticket's server."""
    return Call("POST", f"/api/v1/tickets/{_segment(ticket)}/claim", _nothing)


def notice(ticket: str) -> Call[NoticeView | None]:
    """Ask for a ticket's current notice."""
    return Call("GET", f"/api/v1/tickets/{_segment(ticket)}/notice", _notice_or_none)


def extend(ticket: str, hours: float) -> Call[TicketView]:
    """Ask for more hours on a running ticket."""
    path, more = f"/api/v1/tickets/{_segment(ticket)}/extend", MoreHours(hours=hours)
    return Call("POST", path, TicketView.model_validate_json, body=more)


def reservations() -> Call[list[ReservationView]]:
    """Ask for the reservations that one can see."""
    return Call("GET", "/api/v1/reservations", _RESERVATIONS.validate_json)


def reserve(asked: ReservationAsked) -> Call[ReservationView]:
    """Ask for devices ahead of time."""
    return Call("POST", "/api/v1/reservations", ReservationView.model_validate_json, body=asked)


def cancel_reservation(reservation: str) -> Call[None]:
    """Ask for a reservation's end."""
    return Call("DELETE", f"/api/v1/reservations/{_segment(reservation)}", _nothing)


def erase_person(name: str) -> Call[ErasedView]:
    """Ask that a person be erased."""
    return Call("DELETE", f"/api/v1/people/{_segment(name)}", ErasedView.model_validate_json)


def usage(first: str | None, last: str | None, by: str) -> Call[UsageView]:
    """Ask for GPU-hours."""
    return Call("GET", "/api/v1/usage", UsageView.model_validate_json, query=_window(first, last, by))


def usage_csv(first: str | None, last: str | None, by: str) -> Call[str]:
    """Ask for GPU-hours as CSV."""
    return Call("GET", "/api/v1/usage", bytes.decode, query=_window(first, last, by), accept="text/csv")


def unavailable(url: str, error: Exception) -> PoolUnavailable:
    """Say that nothing usable came back from `url`."""
    return PoolUnavailable(f"the pool at {url} gives no answer ({type(error).__name__}: {error})")


def _window(first: str | None, last: str | None, by: str) -> dict[str, list[str]]:
    given = {"from": first, "to": last, "by": by}
    return {key: [value] for key, value in given.items() if value is not None}


def _nothing(content: bytes) -> None:
    del content


def _notice_or_none(content: bytes) -> NoticeView | None:
    return NoticeView.model_validate_json(content) if content else None


def _problem(response: httpx.Response) -> Problem:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        title = f"The pool answered {response.status_code}"
        return Problem(title=title, status=response.status_code, detail=f"{title}.", reason="unexpected_answer")


def _segment(text: str) -> str:
    return quote(text, safe="")
