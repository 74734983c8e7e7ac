"""What each key of pool.yaml may hold, told in words: for error messages and for the reference page.

Read from the JSON Schema of the models, so that words, schema and checks can't differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import cast

from pydantic import JsonValue

from labpool.settings.findings import KeyPath
from labpool.settings.pool_yaml import PATTERNS_IN_WORDS, PoolYaml

_Schema = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Shape:
    """One key: what it may hold, what it means, and the keys below it.

    `keys` are the ones with fixed names; `each` is what stands under names (or places in a list) that the lab chooses.
    """

    expected: str
    description: str = ""
    default: str | None = None
    example: str | None = None
    required: frozenset[str] = frozenset()
    keys: Mapping[str, Shape] = field(default_factory=dict)
    each: Shape | None = None
    key_expected: str = "text of 1 to 255 characters"

    def below(self, part: str | int) -> Shape | None:
        """The shape one key, name or place further down, or None where nothing may stand."""
        return self.keys.get(part, self.each) if isinstance(part, str) else self.each

    def at(self, path: KeyPath) -> Shape | None:
        """The shape at `path` below this one."""
        shape: Shape | None = self
        for part in path:
            shape = shape.below(part) if shape else None
        return shape


@cache
def pool_yaml_shape() -> Shape:
    """The shape of the whole file."""
    schema = cast(_Schema, PoolYaml.model_json_schema())
    return _Reader(cast("dict[str, _Schema]", schema["$defs"])).shape(schema)


class _Reader:
    """Follows references inside one schema."""

    def __init__(self, definitions: Mapping[str, _Schema]) -> None:
        self._definitions = definitions

    def shape(self, schema: _Schema) -> Shape:
        schema = self._resolved(schema)
        properties = cast("dict[str, _Schema]", schema.get("properties", {}))
        return Shape(
            expected=self._expected(schema),
            description=str(schema.get("description", "")),
            default=_written(schema["default"]) if schema.get("default") is not None else None,
            example=_written(cast("list[JsonValue]", schema["examples"])[0]) if "examples" in schema else None,
            required=frozenset(cast("list[str]", schema.get("required", []))),
            keys={name: self.shape(child) for name, child in properties.items()},
            each=next((self.shape(child) for child in _each(schema)), None),
            key_expected=_key_words(schema),
        )

    def _resolved(self, schema: _Schema) -> _Schema:
        """Without references and without "or null", which only says that a key may be left out."""
        choices = cast("list[_Schema]", schema.get("anyOf", []))
        for choice in (c for c in choices if c.get("type") != "null"):
            schema = {**choice, **schema}
        reference = schema.get("$ref")
        return {**self._definitions[str(reference).rpartition("/")[2]], **schema} if reference else schema

    def _expected(self, schema: _Schema) -> str:
        if "const" in schema:
            return f'"{schema["const"]}"'
        if "enum" in schema:
            return "one of " + ", ".join(str(choice) for choice in cast("list[JsonValue]", schema["enum"]))
        words: dict[str, Callable[[], str]] = {
            "integer": lambda: "a whole number" + _bounds(schema),
            "number": lambda: "a number" + _bounds(schema),
            "boolean": lambda: "true or false",
            "string": lambda: _text_words(schema),
            "array": lambda: _list_words(schema, [self._expected(self._resolved(child)) for child in _each(schema)]),
            "object": lambda: "a mapping of key: value",
        }
        return words[str(schema["type"])]()


def _each(schema: _Schema) -> Iterator[_Schema]:
    named = cast("dict[str, _Schema]", schema.get("patternProperties", {}))
    yield from named.values()
    for key in ("additionalProperties", "items"):
        child = schema.get(key)
        if isinstance(child, dict):
            yield child


def _key_words(schema: _Schema) -> str:
    for pattern in cast("dict[str, _Schema]", schema.get("patternProperties", {})):
        return PATTERNS_IN_WORDS[pattern]
    return "text of 1 to 255 characters"


def _bounds(schema: _Schema) -> str:
    above, least, most = schema.get("exclusiveMinimum"), schema.get("minimum"), schema.get("maximum")
    if above is not None:
        return f" above {above} and at most {most}" if most is not None else f" above {above}"
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return f" of {least} or more" if least is not None else ""


def _text_words(schema: _Schema) -> str:
    if "pattern" in schema:
        return PATTERNS_IN_WORDS[str(schema["pattern"])]
    return f"text of {schema.get('minLength', 0)} to {schema['maxLength']} characters"


def _list_words(schema: _Schema, items: list[str]) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    number = f" of {least} or more" if least else f" of at most {most}" if most else ""
    return f"a list{number}, each {items[0]}" if items else f"a list{number}"


def _written(value: JsonValue) -> str:
    """A value as one would write it in the file."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(child)}" for key, child in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)
