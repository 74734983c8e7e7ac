"""What the API server answers, in words of what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

_FORBIDDEN = re.compile(r'cannot (\w+) resource "([^"]+)"(?: in API group "([^"]*)")?')


class ClusterUnavailable(Exception):
    """The API server, or Kueue behind it, gives no answer; or nothing says where it is."""


class ClusterRefused(Exception):
    """The API server answers, and says no; the message says to what, why, and what helps."""


class FieldsTaken(Exception):
    """Others have set fields that we would set: `holders` by path."""

    def __init__(self, holders: Mapping[str, str]) -> None:
        super().__init__(f"set by others: {', '.join(holders)}")
        self.holders = holders


def make_sure(status: int, answer: Mapping[str, object], what: str) -> None:
    """Pass over what is no refusal.

    Args:
        status: Of HTTP.
        answer: What came with it.
        what: What we wanted, as in "we can't …".

    Raises:
        ClusterUnavailable: the API server or Kueue can't answer at the moment.
        ClusterRefused: it says no.
    """
    if status < HTTPStatus.BAD_REQUEST:
        return
    said = str(answer.get("message", "")) or f"status {status}"
    if status == HTTPStatus.UNAUTHORIZED:
        raise ClusterRefused(f"The API server doesn't know us, so we can't {what}. Get a new token or certificate.")
    forbidden = _FORBIDDEN.search(said)
    if status == HTTPStatus.FORBIDDEN and forbidden:
        verb, resource, group = forbidden.groups()
        raise ClusterRefused(
            f'We may not {what}. Add the verb "{verb}" for the resource "{resource}" of the API group "{group or ""}" '
            f"to our role; docs/kubernetes.md has it whole. The API server says: {said}"
        )
    if "failed calling webhook" in said:
        raise ClusterUnavailable(
            f"Kueue gives no answer, so we can't {what}. Look at its pods, in most clusters with "
            f"`kubectl get pods -n kueue-system`. The API server says: {said}"
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ClusterUnavailable(f"We can't {what} at the moment. Try again soon. The API server says: {said}")
    if status == HTTPStatus.NOT_FOUND and "namespaces" in said:
        raise ClusterRefused(f"We can't {what}: {said}. Make it, or name another in kueue.namespace of pool.yaml.")
    raise ClusterRefused(f"We can't {what}. The API server says: {said}")


def holders_in(answer: Mapping[str, object]) -> dict[str, str]:
    """Who has set the fields that a refused apply would have set, by their paths."""
    details = answer.get("details")
    causes = details.get("causes", []) if isinstance(details, Mapping) else []
    return {_field(cause): _manager(cause) for cause in causes if isinstance(cause, Mapping)}


def _field(cause: Mapping[str, object]) -> str:
    path = str(cause.get("field", "")).removeprefix(".")
    return path.removeprefix("metadata.") if path.startswith("metadata.labels") else path


def _manager(cause: Mapping[str, object]) -> str:
    quoted = re.search(r'"([^"]*)"', str(cause.get("message", "")))
    return quoted.group(1) if quoted else "somebody else"
