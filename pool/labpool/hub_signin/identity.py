"""Who is behind a request, as the hub says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jupyterhub.services.auth import check_scopes


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The owner of a token that the hub knows.

    Attributes:
        name: the user's name, or the service's for a token of a service.
        groups: names of the user's groups in the hub; empty for a service.
        admin: whether the hub counts the user as an admin.
        scopes: what the token may do, as the hub expanded it.
        kind: `user`, or `service`: a service may bear the name of a user, so look at this before comparing names.
    """

    name: str
    groups: frozenset[str]
    admin: bool
    scopes: frozenset[str]
    kind: Literal["user", "service"] = "user"

    def has_scope(self, scope: str) -> bool:
        """Say whether the token may do `scope`; a scope without a filter covers the filtered ones."""
        return bool(check_scopes({scope}, set(self.scopes)))


def signed_in_from_hub(model: Mapping[str, object]) -> SignedIn:
    """Read the hub's answer to `GET /user`.

    Raises:
        ValueError: the answer has no name.
    """
    name = model.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"the hub described a token's owner without a name; it sent {sorted(model)}")
    return SignedIn(
        name=name,
        groups=_names(model.get("groups")),
        admin=model.get("admin") is True,
        scopes=_names(model.get("scopes")),
        kind="service" if model.get("kind") == "service" else "user",
    )


def _names(value: object) -> frozenset[str]:
    return frozenset(str(item) for item in value) if isinstance(value, (list, tuple, set)) else frozenset()
