"""YAML with the line of each key. What the file means never depends on tags, anchors or YAML 1.1's odd scalars.

Scalars follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), so that `no`, `on` and
`12:30` are text, as editors with a JSON Schema read them; decimal numbers only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml

from labpool.settings.findings import Finding, InvalidPoolFile, KeyPath, dotted

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

MOST_BYTES = 256 * 1024
_MOST_DEPTH = 20
_NAMED = {"~": None, "null": None, "Null": None, "NULL": None, "": None}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,15}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,15}|[0-9]{1,15}(\.[0-9]{0,15})?)([eE][-+]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class LocatedYaml:
    """A file's content, the line of each key in it (from 1), the hash of its bytes, and what was wrong in passing."""

    content: dict[str, Value]
    lines: Mapping[KeyPath, int]
    sha256: str
    findings: tuple[Finding, ...]

    def line_of(self, path: KeyPath) -> int:
        """Line of `path`, or of the nearest key above it that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(path: Path) -> LocatedYaml:
    """Read one mapping from `path`.

    Keys given twice are findings, and the first one counts; what makes the file unreadable is raised.

    Raises:
        InvalidPoolFile: missing, too large, not UTF-8, not YAML, not a mapping, or with tags, anchors or aliases.
    """
    raw = _read_bytes(path)
    text = _decode(path, raw)
    try:
        root = yaml.compose(text, Loader=_PlainLoader)
    except yaml.YAMLError as error:
        raise _unreadable(path, *_explain(error, text)) from error
    if not isinstance(root, yaml.MappingNode):
        raise _unreadable(path, 1, "expected sections such as profiles: and projects:, got no mapping", _START)
    walk = _Walk(path)
    content = walk.mapping(root, ())
    return LocatedYaml(content, walk.lines, hashlib.sha256(raw).hexdigest(), tuple(walk.findings))


class _PlainLoader(yaml.SafeLoader):
    """Composes nodes only, and none that stands for something else than what is written there."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem=_ALIAS, problem_mark=event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(problem=_TAG, problem_mark=event.start_mark)
        if self.depth >= _MOST_DEPTH:
            raise yaml.MarkedYAMLError(problem=_DEPTH, problem_mark=event.start_mark)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Walk:
    """Turns nodes into plain values and notes each key's line."""

    def __init__(self, path: Path) -> None:
        self.file = path.name
        self.lines: dict[KeyPath, int] = {}
        self.findings: list[Finding] = []

    def value(self, node: yaml.Node, path: KeyPath) -> Value:
        self.lines.setdefault(path, _line(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return _scalar(node)

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Value]:
        result: dict[str, Value] = {}
        for key, child, line in self._entries(node, path):
            here = (*path, key)
            if key in result:
                self._find(line, here, f"given twice, first on line {self.lines[here]}", "Remove one of the two.")
                continue
            self.lines[here] = line
            result[key] = self.value(child, here)
        return result

    def _entries(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[str, yaml.Node, int]]:
        for key, child in node.value:
            name = _scalar(key) if isinstance(key, yaml.ScalarNode) else None
            if isinstance(name, str):
                yield name, child, _line(key)
            else:
                shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                self._find(_line(key), path, f"expected text as a key, got {shown or 'nothing'}", _QUOTE_KEY)

    def _find(self, line: int, path: KeyPath, problem: str, remedy: str) -> None:
        self.findings.append(Finding(self.file, line, dotted(path), problem, remedy))


_START = "Start from the pool.yaml that comes with labpool."
_ALIAS = "an anchor or alias (& or *)"
_TAG = "a tag (!)"
_DEPTH = f"more than {_MOST_DEPTH} levels"
_QUOTE_KEY = 'Put a key that looks like a number or a truth value in quotes: "1".'
_REMEDIES = {
    _ALIAS: ("expected plain values, got an anchor or alias", "Write the value out; quote text that starts so."),
    _TAG: ("expected plain values, got a tag", "Remove the word that starts with !, or quote the text."),
    _DEPTH: (f"nested deeper than {_MOST_DEPTH} levels", "Remove the superfluous brackets or indentation."),
}


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        said = error.strerror or str(error)
        remedy = "Create it, or name another with LABPOOL_POOL_FILE." if isinstance(error, FileNotFoundError) else ""
        raise _unreadable(
            path, 1, f"can't read {path}: {said}", remedy or "Expected a file that can be read."
        ) from error
    if len(raw) > MOST_BYTES:
        raise _unreadable(path, 1, f"larger than {MOST_BYTES // 1024} KiB", _START)
    return raw


def _decode(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = f"expected UTF-8 text, got byte 0x{raw[error.start]:02x}"
        raise _unreadable(path, line, problem, "Save the file as UTF-8.") from error


def _explain(error: yaml.YAMLError, text: str) -> tuple[int, str, str]:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return line, "expected printable text, got a control character", "Delete that character."
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = " ".join(filter(None, (getattr(error, "context", None), getattr(error, "problem", None)))) or str(error)
    line = mark.line + 1 if mark else 1
    if said in _REMEDIES:
        return line, *_REMEDIES[said]
    if "'\\t'" in said:
        return line, "a tab where YAML allows spaces only", "Indent with spaces."
    return line, f"not YAML: {said}", "Check indentation, colons, quotes and brackets on this line and the one above."


def _unreadable(path: Path, line: int, problem: str, remedy: str) -> InvalidPoolFile:
    return InvalidPoolFile(path, (Finding(path.name, line, "", problem, remedy),))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _scalar(node: yaml.Node) -> Value:
    text: str = node.value
    if getattr(node, "style", None) is not None:  # quoted or a block: always text
        return text
    if text in _NAMED:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
