"""Traces: who asked for what and when, and how long it really ran; one CSV row a request."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from labpool.domain.tickets import Priority

_MOST_SECONDS = 100 * 366 * 86400.0
_SHOWN = 10

Value = str | float | Priority | tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request of a trace. Times in seconds: `submit_s` since the trace's beginning, `wall_s` asked, `run_s` used.

    A run that would take longer than `wall_s` is ended there, as the pool does. Where the pool has the `profile` that
    was picked, its server is given that one's CPU and memory, else none. One that still waits `cancel_s` after it was
    asked for leaves the line then; None: it waits for its turn. `ends_s` are when its stays really ended, in seconds
    after it was asked for: one that would end at about that time ends just then.
    """

    submit_s: float
    user: str
    project: str
    gpus: int
    flavour: str
    wall_s: float
    run_s: float
    priority: Priority = Priority.INTERACTIVE
    profile: str = ""
    cancel_s: float | None = None
    ends_s: tuple[float, ...] = ()


OPTIONAL = ("profile", "cancel_s", "ends_s")
"""Columns that a trace may leave out."""

COLUMNS = tuple(field.name for field in fields(Arrival) if field.name not in OPTIONAL)


class InvalidTrace(ValueError):
    """A trace that cannot be read; the message has one line for each fault, the first ten of them."""

    def __init__(self, faults: list[str]) -> None:
        more = len(faults) - _SHOWN
        super().__init__("\n".join([*faults[:_SHOWN], *([f"and {more} more faults like these"] if more > 0 else [])]))


class _Unreadable(ValueError):
    """A field that is not what was expected; the message says what to write."""


def parse(lines: Iterable[str], name: str) -> tuple[Arrival, ...]:
    """Read a trace, given line by line, and put it in the order of submission.

    The first line names the columns, in any order; columns of other names are left aside, and so are empty lines.
    `name` is what messages call the file.

    Raises:
        InvalidTrace: with file, line, column, what was expected and what to do for each fault.
    """
    reader = csv.reader(lines, strict=True)
    faults: list[str] = []
    arrivals: list[Arrival] = []
    try:
        header = _Header(next(reader, []), name)
        for row in reader:
            if row:
                arrivals += header.read(row, f"{name}:{reader.line_num}", faults)
    except csv.Error as error:
        faults.append(f"{name}:{reader.line_num}: is no CSV ({error}). Write one request a line, separated by commas.")
    if not arrivals and not faults:
        faults.append(f"{name}: holds no request. Write one a line below the line with the columns' names.")
    if faults:
        raise InvalidTrace(faults)
    return tuple(sorted(arrivals, key=lambda arrival: arrival.submit_s))


def format_rows(arrivals: Sequence[Arrival]) -> Iterator[str]:
    """Write a trace as CSV, line by line, the columns' names first; `parse` reads the very same arrivals from it.

    An optional column that would be empty is left out.
    """
    used = [column for column in OPTIONAL if any(map(_text, _values(column, arrivals)))]
    columns = [*COLUMNS, *used]
    yield csv_line(columns)
    for arrival in arrivals:
        yield csv_line(_text(getattr(arrival, column)) for column in columns)


def csv_line(values: Iterable[str]) -> str:
    """One line of CSV, its end included."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _values(column: str, arrivals: Iterable[Arrival]) -> Iterator[Value]:
    return (getattr(arrival, column) for arrival in arrivals)


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    if isinstance(value, Priority):
        return value.value
    return value if isinstance(value, str) else repr(value).removesuffix(".0")


class _Header:
    """Where each column stands in a row."""

    def __init__(self, row: list[str], name: str) -> None:
        self._width = len(row)
        self._places = {column.strip(): place for place, column in enumerate(row)}
        missing = [column for column in COLUMNS if column not in self._places]
        if missing:
            fault = f"{name}:1: {', '.join(missing)}: no such column. Begin the file with the line {','.join(COLUMNS)}"
            raise InvalidTrace([fault])

    def read(self, row: list[str], where: str, faults: list[str]) -> list[Arrival]:
        """The arrival of one row; nothing, and its faults noted, where it has any."""
        if len(row) != self._width:
            faults.append(f"{where}: has {len(row)} fields; expected {self._width}, one for each column of line 1.")
            return []
        before = len(faults)
        values = {
            column: _value(column, row[self._places[column]].strip(), f"{where}: {column}", faults)
            for column in (*COLUMNS, *OPTIONAL)
            if column in self._places
        }
        return [Arrival(**values)] if len(faults) == before else []


def _value(column: str, text: str, where: str, faults: list[str]) -> Any:
    try:
        return _READINGS[column](text)
    except _Unreadable as fault:
        faults.append(f"{where}: {fault}")


def _name(text: str) -> str:
    if not text:
        raise _Unreadable("is empty. Write a name.")
    return text


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 6 and int(text)):
        raise _Unreadable(f'expected a whole number of 1 or more, got "{text}". Write how many GPUs were asked for.')
    return int(text)


def _seconds(least: str) -> Callable[[str], float]:
    """A reading of seconds; `least` says in words whether 0 will do."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number <= _MOST_SECONDS or (least == "more than 0" and not number):
            raise _Unreadable(f'expected seconds, {least}, got "{text}". Write a number such as 3600.')
        return number

    return read


def _seconds_or_none(text: str) -> float | None:
    return _seconds("0 or more, or nothing")(text) if text else None


def _many_seconds(text: str) -> tuple[float, ...]:
    return tuple(map(_seconds("0 or more, with spaces between them"), text.split()))


def _priority(text: str) -> Priority:
    if text not in {priority.value for priority in Priority}:
        known = ", ".join(priority.value for priority in Priority)
        raise _Unreadable(f'expected one of {known}, got "{text}". Write interactive where nothing else was asked for.')
    return Priority(text)


_READINGS: Mapping[str, Callable[[str], Value]] = {
    "submit_s": _seconds("0 or more"),
    "user": _name,
    "project": _name,
    "gpus": _whole,
    "flavour": _name,
    "wall_s": _seconds("more than 0"),
    "run_s": _seconds("0 or more"),
    "priority": _priority,
    "profile": str,
    "cancel_s": _seconds_or_none,
    "ends_s": _many_seconds,
}
