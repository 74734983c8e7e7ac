"""Which processes of this machine belong to which ticket, by /proc (proc(5)).

A server gets `LABPOOL_POOL` and `LABPOOL_TICKET` in its environment and all it starts inherits them, so what a dead hub
left behind is found too. What clears its environment is found as a child of what did not. Processes come and go while
one looks: whatever vanishes or may not be read is passed over.
"""

from __future__ import annotations

import os
import pwd
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_PROC = "/proc"
_TICKET = b"LABPOOL_TICKET="
_TICKET_ID = re.compile(rb"[0-9A-Za-z_-]{1,64}")
_BLOCK = 32 * 1024
_MOST_ANCESTORS = 64


@dataclass(frozen=True)
class ProcessTable:
    """The processes of one pool among all of the machine's."""

    pool_id: str

    def by_ticket(self) -> dict[str, tuple[int, ...]]:
        """Ticket id to its live processes, in the order of their ids."""
        found: dict[int, str] = {}
        for pid in _all_pids():
            ticket = self._own_ticket(pid)
            if ticket is not None:
                found[pid] = ticket
        _add_descendants(found)
        tickets: dict[str, list[int]] = {}
        for pid in sorted(found):
            tickets.setdefault(found[pid], []).append(pid)
        return {ticket: tuple(pids) for ticket, pids in tickets.items()}

    def ticket_of(self, pid: int) -> str | None:
        """The ticket a process belongs to, by its own environment or an ancestor's."""
        for _ in range(_MOST_ANCESTORS):
            ticket = self._own_ticket(pid)
            if ticket is not None:
                return ticket
            pid = _parent(pid)
            if pid <= 1:
                break
        return None

    def send(self, ticket: str, number: signal.Signals) -> tuple[int, ...]:
        """Signal all processes of `ticket`; returns those that are still there and could be signalled or not."""
        pids = self.by_ticket().get(ticket, ())
        return tuple(pid for pid in pids if self._signal(pid, ticket, number))

    def _signal(self, pid: int, ticket: str, number: signal.Signals) -> bool:
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            # the handle holds the process, so its id can't pass to another one between this look and the signal
            if self.ticket_of(pid) == ticket:
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        finally:
            os.close(handle)
        return True

    def _own_ticket(self, pid: int) -> str | None:
        environ = _read(f"{_PROC}/{pid}/environ")
        mark = self._mark
        if mark not in environ:  # nearly always; the exact look below is slower
            return None
        variables = environ.split(b"\0")
        if mark not in variables:
            return None
        named = next((each[len(_TICKET) :] for each in variables if each.startswith(_TICKET)), b"")
        # anybody may put anything there: what is no ticket's id is none of ours
        return named.decode() if _TICKET_ID.fullmatch(named) else None

    @cached_property
    def _mark(self) -> bytes:
        return f"LABPOOL_POOL={self.pool_id}".encode()


@dataclass(frozen=True, slots=True)
class ProcessWords:
    """What a person knows a process by."""

    program: str
    owner: str


def describe(pid: int) -> ProcessWords | None:
    """Program and account of a process, or None where this machine doesn't show it."""
    try:
        uid = Path(_PROC, str(pid)).stat().st_uid
    except OSError:
        return None
    program = _read(f"{_PROC}/{pid}/comm").decode(errors="replace").strip()
    try:
        owner = pwd.getpwuid(uid).pw_name
    except KeyError:
        owner = f"user {uid}"
    return ProcessWords(program or "a process", owner)


def _all_pids() -> Iterator[int]:
    return (int(name) for name in os.listdir(_PROC) if name.isdigit())  # noqa: PTH208 (fast)


def _parent(pid: int) -> int:
    # the name in brackets may hold anything, brackets and spaces included
    fields = _read(f"{_PROC}/{pid}/stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def _add_descendants(found: dict[int, str]) -> None:
    """Add the children of those found, and theirs, with the same ticket."""
    waiting = list(found)
    while waiting:
        parent = waiting.pop()
        new = [child for child in _children(parent) if child not in found]
        found.update(dict.fromkeys(new, found[parent]))
        waiting.extend(new)


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"{_PROC}/{pid}/task")  # noqa: PTH208 (fast)
    except OSError:
        return []
    lists = (_read(f"{_PROC}/{pid}/task/{thread}/children") for thread in threads)
    return [int(child) for children in lists for child in children.split()]


def _read(path: str) -> bytes:
    """All of a file in /proc, or nothing where it vanished or is not for us."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    blocks = []
    try:
        while block := os.read(descriptor, _BLOCK):
            blocks.append(block)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return b"".join(blocks)
