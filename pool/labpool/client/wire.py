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
    NoticeView,
    Problem,
    Queued,
    ReservationAsked,
    ReservationView,
    ServerStopped,
    SpawnAnswer,
    SpawnAsked,
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
    headers: Mapping[str, str] | None = None

    def request(self, root: str, token: str) -> httpx.Request:
        """The request below `root` (an address without a trailing slash), signed with `token`."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(self.headers or {})}
        content = self.body.model_dump_json() if self.body is not None else None
        params = {key: list(values) for key, values in (self.query or {}).items()}
        return httpx.Request(self.method, root + self.path, params=params, headers=headers, content=content)

    def read(self, response: httpx.Response) -> Answer:
        """What the pool answered.

        Raises:
            PoolUnavailable: the pool failed inside, or its answer has another form than this version knows.
            PoolRefused: the pool said no and why.
        """
        self.check(response)
        try:
            return self.parse(response.content)
        except ValidationError as error:
            raise PoolUnavailable(f"the pool's answer on {self.path} has an unknown form: {error}") from error

    def check(self, response: httpx.Response) -> None:
        """Go on where the pool did what was asked.

        Raises:
            PoolUnavailable: the pool failed inside.
            PoolRefused: the pool said no and why.
        """
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            said = _problem(response).detail
            raise PoolUnavailable(f"the pool failed on {self.path} with status {response.status_code}: {said}")
        if response.status_code >= httpx.codes.BAD_REQUEST:
            raise PoolRefused(_problem(response))


def answer_to_queued(request: str) -> Call[bytes]:
    """Ask what became of a request that was queued: the body of its own answer."""
    return Call("GET", f"/api/v1/requests/{segment(request)}", bytes)


def queued(response: httpx.Response) -> Queued | None:
    """What a pool says that only took a request down; None for any other answer."""
    if response.status_code != httpx.codes.ACCEPTED or "/api/v1/requests/" not in response.headers.get("Location", ""):
        return None
    return Queued.model_validate_json(response.content)


def given_up(queued: Queued) -> PoolUnavailable:
    """Say that a request waits longer than its sender does."""
    return PoolUnavailable(f"no pool decides now. {queued.message} Its answer will be at {queued.path}")


def apply(asked: SpawnAsked) -> Call[SpawnAnswer]:
    """Ask for the lease of (user, server)."""
    return Call("POST", "/api/v1/spawns", _SPAWN_ANSWER.validate_json, body=asked)


def stopped(server: ServerStopped) -> Call[None]:
    """Report a server that a person stopped."""
    return Call("POST", "/api/v1/spawns/stopped", nothing, body=server)


def form(user: str, groups: Sequence[str]) -> Call[FormView]:
    """Ask what a user's profiles would meet now."""
    path = f"/api/v1/users/{segment(user)}/form"
    return Call("GET", path, FormView.model_validate_json, query={"groups": groups})


def home(user: str) -> Call[HomeView]:
    """Ask for a user's open tickets."""
    return Call("GET", f"/api/v1/users/{segment(user)}/home", HomeView.model_validate_json)


def claim(ticket: str) -> Call[None]:
    """Report the first use of a ticket's server."""
    return Call("POST", f"/api/v1/tickets/{segment(ticket)}/claim", nothing)


def notice(ticket: str) -> Call[NoticeView | None]:
    """Ask for a ticket's current notice."""
    return Call("GET", f"/api/v1/tickets/{segment(ticket)}/notice", _notice_or_none)


def reservations() -> Call[list[ReservationView]]:
    """Ask for the reservations that one can see."""
    return Call("GET", "/api/v1/reservations", _RESERVATIONS.validate_json)


def reserve(asked: ReservationAsked) -> Call[ReservationView]:
    """Ask for devices ahead of time."""
    return Call("POST", "/api/v1/reservations", ReservationView.model_validate_json, body=asked)


def cancel_reservation(reservation: str) -> Call[None]:
    """Ask for a reservation's end."""
    return Call("DELETE", f"/api/v1/reservations/{segment(reservation)}", nothing)


def erase_person(name: str) -> Call[ErasedView]:
    """Ask that a person be erased."""
    return Call("DELETE", f"/api/v1/people/{segment(name)}", ErasedView.model_validate_json)


def usage(first: str | None, last: str | None, by: str) -> Call[UsageView]:
    """Ask for GPU-hours."""
    return Call("GET", "/api/v1/usage", UsageView.model_validate_json, query=_window(first, last, by))


def usage_csv(first: str | None, last: str | None, by: str) -> Call[str]:
    """Ask for GPU-hours as CSV."""
    return Call("GET", "/api/v1/usage", bytes.decode, query=_window(first, last, by), headers={"Accept": "text/csv"})


def unavailable(url: str, error: Exception) -> PoolUnavailable:
    """Say that nothing usable came back from `url`."""
    return PoolUnavailable(f"the pool at {url} gives no answer ({type(error).__name__}: {error})")


def _window(first: str | None, last: str | None, by: str) -> dict[str, list[str]]:
    given = {"from": first, "to": last, "by": by}
    return {key: [value] for key, value in given.items() if value is not None}


def nothing(content: bytes) -> None:
    """Read an answer that has no body, or none that matters."""
    del content


def _notice_or_none(content: bytes) -> NoticeView | None:
    return NoticeView.model_validate_json(content) if content else None


def _problem(response: httpx.Response) -> Problem:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        title = f"The pool answered {response.status_code}"
        return Problem(title=title, status=response.status_code, detail=f"{title}.", reason="unexpected_answer")


def segment(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")
