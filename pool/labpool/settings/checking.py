"""From the file's plain values to checked sections: everything that is wrong, told in one go."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from labpool.settings.findings import Finding, KeyPath, dotted
from labpool.settings.located_yaml import LocatedYaml, Value
from labpool.settings.pool_yaml import PoolYaml
from labpool.settings.shapes import Shape, pool_yaml_shape


@dataclass(frozen=True, slots=True)
class Declared:
    """Names the file gives to things, also to those with errors inside."""

    flavours: frozenset[str]
    profiles: frozenset[str]
    projects: frozenset[str]


@dataclass(frozen=True, slots=True)
class Checked:
    """The sections that are right in themselves, all names, and what is wrong with the rest."""

    sections: PoolYaml
    declared: Declared
    findings: tuple[Finding, ...]


def check_sections(source: LocatedYaml, file: str) -> Checked:
    """Check each key by itself; entries with errors are left out of `sections`, so that the rest can be compared."""
    declared = Declared(*(_names(source.content, section) for section in ("flavours", "profiles", "projects")))
    try:
        return Checked(PoolYaml.model_validate(source.content), declared, ())
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
    findings = tuple(_finding(detail, source, file) for detail in details)
    return Checked(_sound_part(source.content, details), declared, findings)


def _sound_part(content: dict[str, Value], details: list[ErrorDetails]) -> PoolYaml:
    """What is left of `content` without the keys that are wrong."""
    for detail in details:
        path = detail["loc"]
        content = _without(content, path[:-1] if path[-1] == "[key]" else path, pool_yaml_shape())
    try:
        return PoolYaml.model_validate(content)
    except ValidationError as error:  # leaving something out can leave a list too short
        return _sound_part(content, error.errors(include_url=False, include_context=False))


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """What to do about an unknown name: the nearest known one, and all of them where they are few."""
    names = list(known)
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    listed = f"Known here: {', '.join(names)}." if 0 < len(names) <= 14 else ""
    if not names:
        return "Nothing of this kind is in the file yet; add it, or remove this."
    return " ".join(filter(None, (f'Did you mean "{near[0]}"?' if near else "", listed)))


def in_words(value: object) -> str:
    """A value of the file as a reader of a message knows it, shortened."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"' if len(value) <= 40 else f'"{value[:39]}…" ({len(value)} characters)'
        case int() | float():
            return str(value)
        case list():
            return f"a list of {len(value)}"
        case _:
            return "a mapping of keys"


def _finding(detail: ErrorDetails, source: LocatedYaml, file: str) -> Finding:
    path: KeyPath = detail["loc"]
    if path[-1] == "[key]":
        return _bad_name(path[:-1], source, file)
    line, key = source.line_of(path), dotted(path)
    parent = pool_yaml_shape().at(path[:-1])
    if detail["type"] == "extra_forbidden" and parent:
        remedy = suggestion(str(path[-1]), parent.keys) or "Those known here stand in docs/configuration.md."
        return Finding(file, line, key, "unknown key", remedy)
    shape = pool_yaml_shape().at(path) or pool_yaml_shape()
    if detail["type"] == "missing":
        return Finding(file, line, key, f"missing; expected {shape.expected}", _remedy(path, shape, "Add"))
    problem = f"expected {shape.expected}, got {in_words(detail['input'])}"
    if isinstance(detail["input"], int | float) and "text" in shape.expected:
        return Finding(file, line, key, problem, "Put it in quotes.")
    return Finding(file, line, key, problem, _remedy(path, shape, "Write"))


def _bad_name(path: KeyPath, source: LocatedYaml, file: str) -> Finding:
    shape = pool_yaml_shape().at(path[:-1]) or pool_yaml_shape()
    problem = f"expected {shape.key_expected}, got {in_words(path[-1])}"
    return Finding(
        file, source.line_of(path), dotted(path), problem, "Choose another name, and write it so everywhere."
    )


def _remedy(path: KeyPath, shape: Shape, verb: str) -> str:
    if shape.example is None:
        return f"Meant here: {shape.description}" if shape.description else "See docs/configuration.md."
    name = f"{path[-1]}: " if isinstance(path[-1], str) else ""
    return f"{verb}, for example, {name}{shape.example}"


def _names(content: dict[str, Value], section: str) -> frozenset[str]:
    entries = content.get(section)
    return frozenset(entries) if isinstance(entries, dict) else frozenset()


def _without(content: dict[str, Value], path: KeyPath, shape: Shape) -> dict[str, Value]:
    """`content` without the key at `path`; without what holds it where that can't stand without the key."""
    key = str(path[0])
    rest = {name: value for name, value in content.items() if name != key}
    value, inner = content.get(key), shape.below(key)
    if len(path) == 1 or not isinstance(value, dict) or inner is None or path[1] in inner.required:
        return rest
    return {**rest, key: _without(value, path[1:], inner)}
