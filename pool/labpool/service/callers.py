"""Who is behind a request that one pool process took down and another carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from starlette.types import Scope

from labpool.hub_signin import SignedIn

_IN_SCOPE = "labpool.caller"  # nothing that is sent over HTTP gets there


@dataclass(frozen=True, slots=True)
class TheSpawner:
    """What runs in the hub."""


@dataclass(frozen=True, slots=True)
class TheServer:
    """A ticket's own server."""


Caller = SignedIn | TheSpawner


def said_by(caller: Caller, scope: Scope) -> Scope:
    """The same request, with its caller known already."""
    return {**scope, _IN_SCOPE: caller}


def known_caller(request: Request) -> Caller | None:
    """The caller whom another process has made sure of; None for a request that came over HTTP."""
    caller = request.scope.get(_IN_SCOPE)
    return caller if isinstance(caller, SignedIn | TheSpawner) else None


def name_of_caller(caller: Caller) -> str:
    """A person's or service's name; empty for the spawner."""
    return caller.name if isinstance(caller, SignedIn) else ""


def to_store(caller: Caller) -> dict[str, object]:
    """What is kept of a caller beside the name."""
    if isinstance(caller, TheSpawner):
        return {"kind": "spawner"}
    return {
        "kind": caller.kind,
        "admin": caller.admin,
        "groups": sorted(caller.groups),
        "scopes": sorted(caller.scopes),
    }


def from_store(name: str, kept: Mapping[str, object]) -> Caller:
    """The caller that `to_store` was given."""
    if kept["kind"] == "spawner":
        return TheSpawner()
    return SignedIn(
        name=name,
        groups=_names(kept["groups"]),
        admin=kept["admin"] is True,
        scopes=_names(kept["scopes"]),
        kind="service" if kept["kind"] == "service" else "user",
    )


def _names(kept: object) -> frozenset[str]:
    return frozenset(map(str, kept)) if isinstance(kept, list) else frozenset()
