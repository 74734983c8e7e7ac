"""What tickets need: devices of a node for a time, and a share of everything that is capped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from labpool.domain.catalogue import UserLimit
from labpool.domain.reservations import most_reserved
from labpool.domain.tickets import Ticket
from labpool.domain.world import World

Key = tuple[str, ...]
"""What is counted: ("server", user, name), ("user", user), ("project", project, flavour), ("node", node, flavour),
("cpu", node) in thousandths of a core, ("memory", node) in MiB, and all devices of a ("flavour", flavour)."""

Amount = tuple[Key, int]


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `most` at once of what `key` names; the ticket takes `amount` of it."""

    key: Key
    amount: int
    most: int


@dataclass(frozen=True, slots=True)
class Need:
    """What a ticket needs: devices of one flavour on one node for a duration, within every cap.

    `cpu` in thousandths of a core and `memory` in MiB are those of the same node.
    """

    ticket: str
    flavour: str
    gpus: int
    duration: timedelta
    caps: tuple[Cap, ...]
    cpu: int = 0
    memory: int = 0
    project: str = ""

    def on(self, node: str) -> tuple[Amount, ...]:
        """What it takes of `node`."""
        devices = (node_key(node, self.flavour), self.gpus)
        return (devices, *of_host(node, self.cpu, self.memory))

    def within(self, devices: int) -> Need:
        """The same need with so many devices for its project, where that is less than what it may borrow too."""
        caps = (replace(cap, most=min(devices, cap.most)) if cap.key[0] == "project" else cap for cap in self.caps)
        return replace(self, caps=tuple(caps))


def node_key(node: str, flavour: str) -> Key:
    """What counts a node's devices of a flavour."""
    return ("node", node, flavour)


def flavour_key(flavour: str) -> Key:
    """All devices of a flavour."""
    return ("flavour", flavour)


def of_host(node: str, cpu: int, memory: int) -> Iterator[Amount]:
    """CPU and memory of a node, those that are asked for."""
    if cpu:
        yield ("cpu", node), cpu
    if memory:
        yield ("memory", node), memory


@dataclass(slots=True)
class Needs:
    """What tickets need under the rules of one world, each user's limit looked up once."""

    world: World
    _limits: dict[str, UserLimit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for ticket in sorted(self.world.tickets, key=lambda ticket: (ticket.requested_at, ticket.id)):
            self.learn(ticket)

    def learn(self, ticket: Ticket) -> None:
        """Take the groups of the newest ticket for its user's."""
        self._limits[ticket.user] = self.world.catalogue.limits.of(ticket.user, ticket.groups)

    def of(self, ticket: Ticket) -> Need:
        """What `ticket` needs. A project that is gone may hold nothing."""
        project = self.world.catalogue.projects.get(ticket.project)
        caps = (
            Cap(("server", ticket.user, ticket.name), 1, 1),
            Cap(("user", ticket.user), ticket.gpus, self.limit_of(ticket.user).gpus),
            Cap(
                ("project", ticket.project, ticket.flavour),
                ticket.gpus,
                project.most_at_once(ticket.flavour) if project else 0,
            ),
        )
        return Need(ticket.id, ticket.flavour, ticket.gpus, ticket.duration, caps, *self.host(ticket), ticket.project)

    def promised(self, ticket: Ticket) -> Need | None:
        """The same inside its project's own devices; None where it does not fit there: nothing is promised to it.

        What is reserved for the project counts as its own: the schedule has it as booked by less than nothing.
        """
        own = self.world.catalogue.nominal(ticket.project, ticket.flavour)
        most = own + most_reserved(self.world.reservations, ticket.project, ticket.flavour)
        return self.of(ticket).within(own) if ticket.gpus <= most else None

    def limit_of(self, user: str) -> UserLimit:
        """Limit in force for `user`, by the groups that the newest of the user's open tickets was filed with."""
        return self._limits.get(user) or self.world.catalogue.limits.of(user, frozenset())

    def host(self, ticket: Ticket) -> tuple[int, int]:
        """CPU (thousandths of a core) and memory (MiB) that the ticket's server is given."""
        profile = self.world.catalogue.profiles.get(ticket.profile)
        return (round(1000 * profile.cpu), round(1024 * profile.memory_gib)) if profile else (0, 0)
