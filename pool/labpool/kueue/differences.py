"""What differs between an object as it is and as it would be, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_NOT_SAID = ("apiVersion", "kind", "metadata", "status")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field's value now and as wanted; None where it isn't there. `by` is who else has set it, "" for nobody."""

    field: str
    now: str | None
    wanted: str | None
    by: str = ""


def flattened(item: Mapping[str, object]) -> dict[str, str]:
    """What an object says of itself, by path: `spec.resourceGroups[0].flavors[a100]…`. Its labels are among it."""
    metadata = item.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    said = {key: value for key, value in item.items() if key not in _NOT_SAID}
    return dict(_leaves("", {**said, "labels": labels} if labels else said))


def changes_between(now: Mapping[str, str], then: Mapping[str, str], holders: Mapping[str, str]) -> list[FieldChange]:
    """The fields that differ. `holders` are others who have set a field, or all that lies below it."""
    fields = [field for field in dict.fromkeys((*now, *then)) if now.get(field) != then.get(field)]
    return [FieldChange(each, now.get(each), then.get(each), _holder(each, holders)) for each in fields]


def _holder(field: str, holders: Mapping[str, str]) -> str:
    for held, holder in holders.items():
        if field == held or field.startswith((f"{held}.", f"{held}[")):
            return holder
    return ""


def _leaves(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for index, inner in enumerate(value):
            rest = {key: each for key, each in inner.items() if key != "name"}
            yield from _leaves(f"{path}[{inner.get('name', index)}]", rest)
    elif isinstance(value, list):
        yield path, ", ".join(map(str, value))
    elif value is not None:
        yield path, str(value)
