"""A small lab to plan for: builders with the values that a test does not care about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from labpool.domain.catalogue import Catalogue, Flavour, Limits, Profile, Project, QueueRules, UserLimit
from labpool.domain.inventory import Condition, Device, Inventory, Node
from labpool.domain.leases import Lease
from labpool.domain.plans import Plan
from labpool.domain.tickets import Event, Priority, State, Ticket
from labpool.domain.world import World

NINE = datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def at(hours: float) -> datetime:
    """The time so many hours after nine."""
    return NINE + hours * HOUR


def inventory(nodes: Mapping[str, int], withheld: Iterable[str] = (), **conditions: Condition) -> Inventory:
    """Nodes with so many devices of flavour "gpu" each, ids like n1-0; some of them out of service since nine."""
    devices = tuple(
        Device(f"{node}-{index}", "gpu", node, index, 16.0) for node, many in nodes.items() for index in range(many)
    )
    kept = tuple((device, "used by a process without a lease") for device in withheld)
    since = {node: NINE if node in conditions else None for node in nodes}
    stand = {node: conditions.get(node, Condition.SERVING) for node in nodes}
    return Inventory(tuple(Node(node, 16, 64, stand[node], since[node]) for node in nodes), devices, kept)


def catalogue(
    shares: Mapping[str, tuple[int, int]] | None = None,
    gpus: int = 4,
    queue: QueueRules | None = None,
    **users: int,
) -> Catalogue:
    """Projects by (nominal, borrow); one limit for everybody; profiles gpu-1 to gpu-4, and cpu.

    GPU profiles are for up to 8 hours, 24 with extensions.
    """
    profiles = {
        f"gpu-{n}": Profile(f"gpu-{n}", f"{n} GPU", "gpu", n, 2, 4, 8 * HOUR, longest_in_all=24 * HOUR)
        for n in range(1, 5)
    }
    profiles["cpu"] = Profile("cpu", "CPU only", None, 0, 2, 4, 12 * HOUR)
    projects = {
        name: Project(
            name,
            f"{name.capitalize()} group",
            everyone=True,
            nominal={"gpu": nominal},
            borrow={"gpu": borrow},
            profiles=tuple(profiles),
        )
        for name, (nominal, borrow) in (shares or {"vision": (4, 4)}).items()
    }
    limits = Limits(UserLimit(gpus, 3, 8), users={user: UserLimit(most, 3, 8) for user, most in users.items()})
    return Catalogue({"gpu": Flavour("gpu", "Demo GPU", 16)}, profiles, projects, limits, queue or QueueRules())


def ticket(
    name: str, user: str = "ada", gpus: int = 1, hours: float = 2, asked: float = 0, project: str = "vision"
) -> Ticket:
    """A queued ticket whose id and server are both `name`, asked for so many hours after nine."""
    return Ticket(name, user, frozenset(), name, project, f"gpu-{gpus}", "gpu", gpus, timedelta(hours=hours), at(asked))


def lease(name: str, *devices: str, user: str = "lin", until: float = 2, project: str = "vision") -> Lease:
    """A live lease since nine of the ticket and server `name`."""
    return Lease(name, user, name, project, "gpu", devices, NINE, at(until))


def running(held: Lease, priority: Priority = Priority.INTERACTIVE) -> Ticket:
    """The ticket of a lease that was used from its beginning."""
    who, gpus = (held.ticket, held.user, frozenset[str](), held.name, held.project), len(held.devices)
    asked = Ticket(*who, f"gpu-{gpus}", held.flavour, gpus, held.ends - held.starts, held.starts)
    used = asked.after(Event.GRANT, held.starts).after(Event.FIRST_USE, held.starts)
    return replace(used, priority=priority)


def follow(world: World, plan: Plan, now: datetime) -> World:
    """The world after the pool has stored `plan`."""
    granted = {grant.ticket: grant for grant in plan.grants}
    ends = {taken.ticket: taken.ends for taken in plan.taken}
    tickets = []
    unused = {each.id for each in world.tickets if each.state is State.GRANTED}
    leases = [
        replace(held, ends=ends[held.ticket], taken_unused=held.ticket in unused) if held.ticket in ends else held
        for held in world.leases
    ]
    for waiting in world.tickets:
        if waiting.id in ends:
            tickets.append(waiting.after(Event.RECLAIM, now))
            continue
        promised = replace(waiting, starts_by=waiting.starts_by or plan.promises.get(waiting.id))
        if waiting.id not in granted:
            tickets.append(promised)
            continue
        grant = granted[waiting.id]
        tickets.append(promised.after(Event.GRANT, now))
        who = (waiting.id, waiting.user, waiting.name, waiting.project, waiting.flavour)
        leases.append(Lease(*who, grant.devices, grant.starts, grant.ends))
    return replace(world, tickets=tuple(tickets), leases=tuple(leases), slots=plan.slots, looked_at=now)


def add(world: World, *tickets: Ticket) -> World:
    """The world with more tickets."""
    return replace(world, tickets=(*world.tickets, *tickets))


def end(world: World, *names: str) -> World:
    """The world without these tickets and their leases."""
    return replace(
        world,
        tickets=tuple(t for t in world.tickets if t.id not in names),
        leases=tuple(held for held in world.leases if held.ticket not in names),
    )


def starts(plan: Plan) -> dict[str, datetime]:
    """When each ticket starts or is planned to."""
    return {g.ticket: g.starts for g in plan.grants} | {s.ticket: s.start for s in plan.slots}


def queued(world: World) -> list[Ticket]:
    """Tickets that still wait."""
    return [t for t in world.tickets if t.state is State.QUEUED]
