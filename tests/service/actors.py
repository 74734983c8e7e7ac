"""Everybody who can call the pool's API, each with the token that such a caller has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from labpool.api_models import TicketView
from labpool.service.app import PREFIX

from tests.service.lab import Lab
from tests.service.running_pool import POOL_YAML, PROGRAM_TOKEN, SPAWNER_TOKEN

ACCESS, READ, WRITE = "access:services!service=pool", "custom:labpool:read", "custom:labpool:write"
ACTORS = ("anonymous", "program", "stranger", "member", "holder", "owner", "admin", "spawner", "server")
"""Nobody; a service whose token has too few scopes; somebody of another project; somebody of the ticket's project;
whose ticket it is; an owner of that project; an admin; what runs in the hub; the ticket's own server."""

_ROBOTICS = """
  robotics:
    title: Robotics group
    members: {{users: [{member}, {holder}]}}
    owners: {{users: [{owner}]}}
    nominal: {{demo-gpu: 1}}
    profiles: [cpu, gpu-1]
queue:"""


@dataclass(frozen=True)
class Robotics:
    """A project of three people beside vision, to which everybody belongs."""

    lab: Lab
    people: Mapping[str, str]
    _tokens: dict[str, str]

    def token(self, actor: str, ticket: str = "") -> str:
        """What the actor puts into the Authorization header; empty: nothing."""
        if actor == "server":
            return self.lab.pool.token(ticket)
        return self._tokens[actor]

    def call(self, actor: str, method: str, path: str, body: object = None, ticket: str = "") -> httpx.Response:
        """One call to the API; of an endless answer only the beginning is waited for."""
        token = self.token(actor, ticket)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.lab.pool.url}{path}"
        with (
            httpx.Client(timeout=30, trust_env=False) as client,
            client.stream(method, url, json=body, headers=headers) as answer,
        ):
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                answer.read()
            return answer

    def ticket(self, profile: str = "gpu-1") -> TicketView:
        """The holder's ticket, filed where there is none."""
        holder = self.people["holder"]
        asked = {"user": holder, "project": "robotics", "profile": profile, "hours": 1}
        answer = self.lab.pool.as_spawner("POST", "/spawns", asked)
        assert answer.status_code in {200, 202}, answer.text
        return self.lab.pool.ticket(answer.json()["ticket"])


@contextmanager
def robotics_of(lab: Lab, new_user: Callable[[], str]) -> Iterator[Robotics]:
    """Robotics in the pool's file, with tokens for everybody."""
    people = {actor: new_user() for actor in ("stranger", "member", "holder", "owner")}
    path = lab.pool.folder / "pool.yaml"
    named = {actor: name for actor, name in people.items() if actor != "stranger"}
    path.write_text(POOL_YAML.replace("\nqueue:", _ROBOTICS.format(**named)))
    lab.pool.call(lab.pool.parts.reconciler.look())
    tokens = {actor: lab.hub.token_for(name, [ACCESS, READ, WRITE]) for actor, name in people.items()}
    tokens |= {"anonymous": "", "program": PROGRAM_TOKEN, "spawner": SPAWNER_TOKEN, "admin": lab.hub.admin_token}
    yield Robotics(lab, people, tokens)
    path.write_text(POOL_YAML)
    lab.pool.call(lab.pool.parts.reconciler.look())


def operations(document: Mapping[str, Mapping[str, Mapping[str, object]]]) -> dict[str, set[str]]:
    """Operations of an OpenAPI document, such as "GET /api/v1/pool", each with the statuses that it documents."""
    return {
        f"{method.upper()} {path.removeprefix(PREFIX)}": set(operation["responses"])  # type: ignore[call-overload, index]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
