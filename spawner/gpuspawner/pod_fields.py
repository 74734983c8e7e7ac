"""Fields of a pod as the API tells it, any of which may be missing."""

from __future__ import annotations

from collections.abc import Mapping

NOTEBOOK = "notebook"


def mapping(value: object) -> Mapping[str, object]:
    """`value`, or an empty mapping where it is none."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> list[Mapping[str, object]]:
    """The mappings of a list; none where `value` is no list."""
    return [mapping(each) for each in value] if isinstance(value, list) else []


def text(fields: Mapping[str, object], key: str) -> str:
    """A field as text, "" where it is missing."""
    return str(fields.get(key) or "")


def container_states(pod: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """What each container of a pod is in: `waiting`, `running` or `terminated`."""
    statuses = listed(mapping(pod.get("status")).get("containerStatuses"))
    return {text(each, "name"): mapping(each.get("state")) for each in statuses}


def notebook_end(pod: Mapping[str, object]) -> Mapping[str, object] | None:
    """What is told of the end of a pod's server; None while it has not ended, or where nothing is told."""
    ended = container_states(pod).get(NOTEBOOK, {}).get("terminated")
    return ended if isinstance(ended, Mapping) else None


def has_ended(pod: Mapping[str, object]) -> bool:
    """Whether a pod's server is over. Further containers may go on, or not even have begun."""
    return notebook_end(pod) is not None or mapping(pod.get("status")).get("phase") in {"Failed", "Succeeded"}
