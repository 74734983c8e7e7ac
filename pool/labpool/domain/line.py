"""The waiting tickets in the order in which each would gain from what frees early."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from labpool.domain.tickets import Ticket

Entry = tuple[timedelta, datetime, str]
Bucket = tuple[int, str, int, str]
"""Class, profile, devices, user: tickets that are alike in these differ in nothing but their time."""


class Planned(NamedTuple):
    """A planned start. Of one time the higher class comes first, then who is in line longer.

    Ids are random, so they decide nothing that anything else decides: a recorded pool has others in its replay.
    """

    start: datetime
    rank: int
    since: datetime
    ticket: str

    @classmethod
    def of(cls, ticket: Ticket, start: datetime) -> Planned:
        """The planned start of a ticket."""
        return cls(start, ticket.priority.rank, ticket.in_line_since, ticket.id)


@dataclass(slots=True)
class Line:
    """Tickets in line, by flavour and project, and there in buckets of like ones, the shortest first."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    _buckets: dict[str, dict[str, dict[Bucket, list[Entry]]]] = field(default_factory=dict)
    _by_user: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, tickets: Iterable[Ticket]) -> Line:
        """A line of many tickets at once."""
        line = cls()
        for ticket in tickets:
            line._note(ticket)
            line._bucket(ticket).append(_entry(ticket))
        for projects in line._buckets.values():
            for buckets in projects.values():
                for entries in buckets.values():
                    entries.sort()
        return line

    def add(self, ticket: Ticket) -> None:
        """Let a ticket join."""
        self._note(ticket)
        insort(self._bucket(ticket), _entry(ticket))

    def remove(self, ticket_id: str) -> Ticket:
        """Let a ticket go."""
        ticket = self.tickets.pop(ticket_id)
        self._by_user[ticket.user].discard(ticket_id)
        bucket = self._bucket(ticket)
        del bucket[bisect_left(bucket, _entry(ticket))]
        if not bucket:
            self._leave_bucket(ticket)
        return ticket

    def names_of(self, user: str) -> frozenset[str]:
        """A user's tickets."""
        return frozenset(self._by_user.get(user, ()))

    def projects_and_flavours(self) -> list[tuple[str, str]]:
        """Pairs of a project and a flavour for which somebody waits."""
        return [(project, flavour) for flavour, projects in self._buckets.items() for project in projects]

    def names_of_project(self, project: str) -> Iterator[str]:
        """A project's tickets."""
        for buckets in self._of_project(project).values():
            yield from (ticket for entries in buckets.values() for _, _, ticket in entries)

    def sizes_of(self, project: str) -> set[tuple[str, int]]:
        """Flavours and numbers of devices for which a project's tickets wait."""
        return {(flavour, key[2]) for flavour, buckets in self._of_project(project).items() for key in buckets}

    def _of_project(self, project: str) -> dict[str, dict[Bucket, list[Entry]]]:
        return {flavour: projects[project] for flavour, projects in self._buckets.items() if project in projects}

    def names_in(self, project: str, flavour: str) -> list[str]:
        """Tickets of a project that wait for a flavour."""
        return [name for entries in self._for(flavour, project).values() for _, _, name in entries]

    def projects(self, flavours: Iterable[str]) -> set[str]:
        """Projects with tickets that wait for one of `flavours`."""
        return {project for flavour in flavours for project in self._buckets.get(flavour, ())}

    def buckets(self, project: str, rank: int, flavour: str) -> list[tuple[int, list[Entry]]]:
        """The project's tickets of a class for a flavour: like ones together, with the devices each asks for.

        The lists are the line's own: who leaves it leaves them.
        """
        buckets = self._for(flavour, project).items()
        return [(bucket[2], entries) for bucket, entries in buckets if bucket[0] == rank]

    def _note(self, ticket: Ticket) -> None:
        self.tickets[ticket.id] = ticket
        self._by_user.setdefault(ticket.user, set()).add(ticket.id)

    def _bucket(self, ticket: Ticket) -> list[Entry]:
        projects = self._buckets.setdefault(ticket.flavour, {})
        return projects.setdefault(ticket.project, {}).setdefault(_key(ticket), [])

    def _leave_bucket(self, ticket: Ticket) -> None:
        """Let go of a ticket's empty bucket, and of what is empty without it."""
        projects = self._buckets[ticket.flavour]
        del projects[ticket.project][_key(ticket)]
        if not projects[ticket.project]:
            del projects[ticket.project]

    def _for(self, flavour: str, project: str) -> dict[Bucket, list[Entry]]:
        return self._buckets.get(flavour, {}).get(project, {})


def _entry(ticket: Ticket) -> Entry:
    return ticket.duration, ticket.in_line_since, ticket.id


def _key(ticket: Ticket) -> Bucket:
    return ticket.priority.rank, ticket.profile, ticket.gpus, ticket.user
