"""People, the hub's spawner and an admin, who ask a pool for all it can do, at random and at once."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from random import Random
from types import MappingProxyType

import httpx
from labpool.api_models import TicketView

from tests.crash.acknowledged import Acknowledged, Asked

PEOPLE = ("ada", "bert", "eve", "lin")
_NAMES = ("", "second", "third")
_REMEMBERED, _SEEN_HOLDING = 12, 5


@dataclass(frozen=True)
class Callers:
    """Where the pool is and who asks it."""

    url: str
    tokens: dict[str, str]
    """The hub's tokens of people; `admin` and `spawner` among them."""
    ticket_key: str
    """The pool's own, from which the tokens of its tickets' servers are made."""

    def token_of(self, ticket: str, unclaimed: int) -> str:
        """What the server of a ticket has that went unclaimed so often."""
        return hmac.new(self.ticket_key.encode(), f"{ticket}/1/{unclaimed}".encode(), hashlib.sha256).hexdigest()


@dataclass
class Person:
    """Somebody who does one thing after another until there is no answer any more."""

    callers: Callers
    random: Random
    name: str
    acknowledged: Acknowledged
    http: httpx.Client
    hours: Sequence[float] = (0.5, 1, 3, 8)
    """What they ask for."""

    def do_something(self) -> None:
        """One of all the things that people do."""
        (act,) = self.random.choices([*_ACTS], [*_ACTS.values()])
        act(self)

    def ask(self) -> None:
        user, project = self.random.choice(PEOPLE), self.random.choice(("vision", "speech"))
        profile, hours = self.random.choice(("gpu-1", "gpu-2")), self.random.choice(self.hours)
        body = {"name": self.random.choice(_NAMES), "project": project, "profile": profile, "hours": hours}
        asked = Asked(user, f"{self.name}-{self.random.getrandbits(64):x}", body)
        self.acknowledged.unanswered.append(asked)
        self.ask_again(asked)
        self.acknowledged.unanswered.remove(asked)

    def ask_again(self, asked: Asked) -> str | None:
        """Ask for a server under the same key as before; give the ticket if there is one."""
        answer = self._call(asked.user, "POST", "/tickets", dict(asked.body), {"Idempotency-Key": asked.key})
        if answer.status_code != 201:
            return None
        ticket = TicketView.model_validate_json(answer.content)
        self.acknowledged.shown(ticket)
        self.acknowledged.by_key[asked.user, asked.key] = ticket.id
        return ticket.id

    def claim(self) -> None:
        ticket = self._holder()
        answer = self._call(
            "", "POST", f"/tickets/{ticket}/claim", token=self.callers.token_of(ticket, self.random.choice((0, 0, 1)))
        )
        if answer.status_code == 204:
            self.acknowledged.events[ticket, "first_use"] = 1

    def stop(self) -> None:
        ticket = self._holder()
        held = (ticket, "first_use") in self.acknowledged.events
        answer = self._call("spawner", "POST", "/spawns/stopped", {"ticket": ticket, "user": self._owner(ticket)})
        if held and answer.status_code == 204:
            self.acknowledged.given_back.add(ticket)

    def say_ready(self) -> None:
        self._steer_and_count(self._holder(), "ready", "ready")

    def leave(self) -> None:
        ticket = self._ticket()
        if self._steer(ticket, "leave"):
            self.acknowledged.events[ticket, "cancelled"] = 1

    def end(self) -> None:
        ticket = self._holder()
        if self._steer(ticket, "end"):
            self.acknowledged.given_back.add(ticket)

    def extend(self) -> None:
        self._steer_and_count(self._holder(), "extend", "extended", {"hours": self.random.choice((0.25, 1))})

    def again(self) -> None:
        wish = self.random.random() < 0.5
        self._steer_and_count(
            self._ticket(), "again", "starts_again" if wish else "starts_no_more", {"starts_again": wish}
        )

    def step_behind(self) -> None:
        self._steer_and_count(self._ticket(), "behind", "stepped_behind", {"ticket": self._ticket()})

    def grant(self) -> None:
        ticket = self._ticket()
        if self._confirmed("POST", f"/tickets/{ticket}/grant", {"why": "A deadline"}) is not None:
            self.acknowledged.events[ticket, "granted_first"] += 1

    def drain(self) -> None:
        devices = self._call("admin", "GET", "/devices").json()
        self._make("/drains", {"device": self.random.choice(devices)["id"], "why": "New fans"})

    def reserve(self) -> None:
        """GPUs for a project or a closed machine, from now or soon, for so short that it is over in between."""
        start = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(seconds=self.random.uniform(1, 30))
        asked: dict[str, object] = {"start": start.isoformat(), "hours": 0.03, "timezone": "UTC", "title": "A course"}
        if self.random.random() < 0.3:
            self._make("/reservations", asked | {"node": "demo"})
        else:
            project = self.random.choice(("vision", "speech"))
            self._make("/reservations", asked | {"project": project, "flavour": "demo-gpu", "devices": 1})

    def take_instead(self) -> None:
        ticket = self._ticket()
        asked = {"profile": "gpu-1", "hours": 0.5}
        answer = self._call(self._owner(ticket), "POST", f"/tickets/{ticket}/instead", asked)
        if answer.status_code == 200:
            self.acknowledged.shown(TicketView.model_validate_json(answer.content))
            self.acknowledged.events[ticket, "cancelled"] = 1

    def override(self) -> None:
        asked = {"rule": "user_gpus", "name": self.random.choice(PEOPLE), "value": self.random.randint(1, 2)}
        self._make("/overrides", asked | {"why": "For a while"})

    def unmake(self) -> None:
        known = self.acknowledged
        standing = sorted(known.made - known.in_doubt)
        if not standing:
            return
        chosen = self.random.choice(standing)
        known.in_doubt.add(chosen)
        kind, _, number = chosen.partition(" ")
        broken = "?broken=1000" if kind == "/overrides" else ""
        if self._call("admin", "DELETE", f"{kind}/{number}{broken}").status_code == 204:
            known.unmade.add(chosen)

    def look(self) -> None:
        ticket = self._ticket()
        answer = self._call(self._owner(ticket), "GET", f"/tickets/{ticket}")
        if ticket in self.acknowledged.owners:
            assert answer.status_code == 200, f"{ticket} is not shown any more: {answer.text}"
            self.acknowledged.shown(TicketView.model_validate_json(answer.content))

    def _make(self, kind: str, asked: dict[str, object]) -> None:
        made = self._confirmed("POST", kind, asked)
        if made is not None:
            self.acknowledged.made.add(f"{kind} {made.json()['id']}")

    def _confirmed(self, method: str, path: str, asked: dict[str, object]) -> httpx.Response | None:
        """What an admin asks for, although promises break; None where it was refused all the same."""
        answer = self._call("admin", method, path, asked)
        if answer.status_code == 409 and answer.json().get("confirm"):
            answer = self._call("admin", method, path, asked | {"confirm": answer.json()["confirm"]})
        return answer if answer.is_success else None

    def _steer_and_count(self, ticket: str, step: str, event: str, body: object = None) -> None:
        if self._steer(ticket, step, body):
            self.acknowledged.events[ticket, event] += 1

    def _steer(self, ticket: str, step: str, body: object = None) -> bool:
        answer = self._call(self._owner(ticket), "POST", f"/tickets/{ticket}/{step}", body)
        if answer.status_code == 200:
            self.acknowledged.shown(TicketView.model_validate_json(answer.content))
        return answer.status_code == 200

    def _ticket(self) -> str:
        return self.random.choice([*self.acknowledged.owners][-_REMEMBERED:] or ["none"])

    def _holder(self) -> str:
        """One that was seen to hold a lease."""
        return self.random.choice([*self.acknowledged.ends][-_SEEN_HOLDING:] or ["none"])

    def _owner(self, ticket: str) -> str:
        return self.acknowledged.owners.get(ticket, PEOPLE[0])

    def _call(
        self,
        who: str,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        token: str = "",
    ) -> httpx.Response:
        sent = {"Authorization": f"Bearer {token or self.callers.tokens[who]}", **headers}
        answer = self.http.request(method, f"{self.callers.url}/api/v1{path}", json=body, headers=sent)
        assert answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer


_ACTS: dict[Callable[[Person], None], int] = {
    Person.ask: 10,
    Person.claim: 8,
    Person.stop: 4,
    Person.say_ready: 3,
    Person.leave: 2,
    Person.end: 2,
    Person.extend: 6,
    Person.again: 2,
    Person.step_behind: 4,
    Person.grant: 3,
    Person.drain: 1,
    Person.reserve: 1,
    Person.take_instead: 4,
    Person.override: 1,
    Person.unmake: 5,
    Person.look: 4,
}
"""All that they do, and how often beside each other."""
