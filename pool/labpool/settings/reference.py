"""The reference of pool.yaml's keys in docs/configuration.md, made from the models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from labpool.settings.shapes import Shape, pool_yaml_shape

BEGIN = "<!-- the reference begins: `labpool reference docs/configuration.md` writes it -->"
END = "<!-- the reference ends -->"

_HEAD = "| key | holds | default | meaning |\n| --- | --- | --- | --- |"


class NoReferenceHere(Exception):
    """A page has no place for the reference."""


def reference_text() -> str:
    """A Markdown table for each section of pool.yaml."""
    return "\n\n".join(_sections("", pool_yaml_shape()))


def with_reference(page: Path) -> str:
    """The text of `page` with the reference in its place brought up to date.

    Raises:
        NoReferenceHere: the page lacks the two marking lines.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise NoReferenceHere(f"{page} has no place for the reference; expected the lines {BEGIN!r} and {END!r}.")
    return f"{before}{BEGIN}\n\n{reference_text()}\n\n{END}{after}"


def _sections(name: str, shape: Shape) -> Iterator[str]:
    """The table of one section, then those of the sections in it."""
    if shape.keys:
        rows = [_row(key, child, key in shape.required) for key, child in shape.keys.items()]
        yield "\n".join((f"### `{name}`" if name else "### The whole file", "", _HEAD, *rows))
    for key, child in shape.keys.items():
        inner = f"{name}.{key}" if name else key
        yield from _sections(inner, child)
    if shape.each:
        yield from _sections(f"{name}[]" if "list" in shape.expected else f"{name}.<name>", shape.each)


def _row(key: str, shape: Shape, required: bool) -> str:
    default = "required" if required else "" if shape.default is None or shape.keys else f"`{shape.default}`"
    holds = f"{shape.expected}, each {shape.each.expected}" if shape.each and not shape.each.keys else shape.expected
    holds = shape.expected if "each" in shape.expected else holds
    example = f" Example: `{key}: {shape.example}`" if shape.example and shape.example != shape.default else ""
    return f"| `{key}` | {holds} | {default} | {_cell(shape.description + example)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
