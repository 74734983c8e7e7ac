"""Leases and slots: who holds which devices until when, and who will."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from labpool.domain.budgets import work
from labpool.domain.tickets import EndReason


@dataclass(frozen=True, slots=True)
class Lease:
    """What a granted ticket holds.

    The devices are this ticket's from `starts` to `ends`, however its server fares in between. `absent_since` is when
    nothing of it was found running; `ready_at` when its server first answered. `charge` is that of its flavour when it
    began, and stays so: GPU-hours booked for one hour of one device. `taken_unused`: it goes back before anybody has
    used it.
    """

    ticket: str
    user: str
    name: str
    project: str
    flavour: str
    devices: tuple[str, ...]
    starts: datetime
    ends: datetime
    absent_since: datetime | None = None
    ready_at: datetime | None = None
    start_tries: int = 0
    stopping_since: datetime | None = None
    stopping_for: EndReason | None = None
    charge: float = 1.0
    taken_unused: bool = False

    @property
    def rate(self) -> int:
        """What it uses of a budget in a microsecond, in units of work."""
        return work(len(self.devices), self.charge)


@dataclass(frozen=True, slots=True)
class Slot:
    """The planned place of a queued ticket: as many devices of a node as it asks for; which ones the grant tells.

    One that started early on borrowed devices falls back on it (`labpool.domain.fallbacks`).
    """

    ticket: str
    node: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Devices of a node from `start` to `end`, turnover not included."""

    node: str
    start: datetime
    end: datetime


class OnNode(Protocol):
    """A node from some time on."""

    @property
    def node(self) -> str:
        """Its name."""

    @property
    def start(self) -> datetime:
        """The time."""
