"""What is to be done with Workloads, so that each ticket has the one that it should have. Pure.

A ticket in line has a Workload from the start, which keeps its place. Kueue may choose it while the pool's own rules
let the ticket start; else it is deactivated, and keeps its place too. A ticket that has to stand in line again gives
back what its Workload holds, and stays where it stood. A ticket that holds devices has one as well, so that Kueue
counts them: where that is gone (its deletion is no wish to have them back), another one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeGuard

from labpool.domain.admissible import Admissible
from labpool.domain.leases import Lease
from labpool.domain.tickets import State, Ticket
from labpool.domain.world import World
from labpool.kueue.workload_manifests import name_of
from labpool.kueue.workloads import Workload


@dataclass(frozen=True, slots=True)
class Make:
    """Make the Workload of a ticket; that of a lease that stands is made for the machine on which it does."""

    ticket: Ticket
    active: bool
    node: str = ""


@dataclass(frozen=True, slots=True)
class Activate:
    """Let Kueue choose a Workload, or not any more."""

    workload: Workload
    active: bool


@dataclass(frozen=True, slots=True)
class HoldOff:
    """A turn came to nothing: deactivate the Workload for a while, so that others get theirs."""

    workload: Workload


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Give back what a Workload holds; it stands in line again, where it stood."""

    workload: Workload


@dataclass(frozen=True, slots=True)
class Rejoin:
    """Say for which attempt of its ticket a Workload stands in line from now on, and for what."""

    workload: Workload
    ticket: Ticket
    active: bool


@dataclass(frozen=True, slots=True)
class NoteReady:
    """Say that the server is up."""

    workload: Workload


@dataclass(frozen=True, slots=True)
class Remove:
    """Finish and delete a Workload that has no ticket any more."""

    workload: Workload


_LET_IN = 4
"""So many times as long as a server has to find its machine, Kueue has to let in again who holds devices."""

Step = Make | Activate | HoldOff | GiveBack | Rejoin | NoteReady | Remove
Taking = Activate | HoldOff | GiveBack | Remove


def takes_away(step: Step) -> TypeGuard[Taking]:
    """Whether it ends a turn, or the place in line."""
    return isinstance(step, HoldOff | GiveBack | Remove) or (isinstance(step, Activate) and not step.active)


def steps(
    world: World,
    workloads: Mapping[str, Workload],
    made_of: Callable[[Ticket], str],
    held_off: Collection[str],
    now: datetime,
) -> Iterator[Step]:
    """What is to be done now, at most one thing for each Workload; the next follows from what comes of it.

    Args:
        world: Tickets, leases and the rules in force.
        workloads: Those of this pool, by name.
        made_of: The hash of what a waiting ticket's Workload should ask for.
        held_off: Tickets whose turn came to nothing lately.
        now: The time.
    """
    rules = Admissible(world, now)
    leases = {lease.ticket: lease for lease in world.leases}
    wanted = set[str]()
    for ticket in world.tickets:
        if ticket.state is State.QUEUED and not ticket.ready:
            continue
        wanted.add(name_of(ticket))
        workload, lease = workloads.get(name_of(ticket)), leases.get(ticket.id)
        if lease is not None:
            yield from _while_held(world, ticket, lease, workload, now)
        elif ticket.state is State.QUEUED:
            active = ticket.id not in held_off and rules.may_wait_for_devices(ticket)
            if workload is None:
                yield Make(ticket, active)
            else:
                yield from _in_line(ticket, workload, made_of(ticket), active, now - world.catalogue.queue.placement)
    yield from (Remove(each) for name, each in workloads.items() if name not in wanted and not each.going)


def _while_held(world: World, ticket: Ticket, lease: Lease, workload: Workload | None, now: datetime) -> Iterator[Step]:
    if lease.stopping_since is not None or ticket.state is State.RECLAIMING:
        return
    if workload is None:
        yield Make(ticket, active=True, node=min(world.inventory.machines_of(lease.devices), default=""))
    elif workload.going:
        return
    elif workload.is_true("Finished"):
        yield Remove(workload)
    elif workload.pending and workload.active and workload.created <= now - _LET_IN * world.catalogue.queue.placement:
        yield Activate(workload, False)  # somebody else has its share now: it would only be in its project's way
    elif lease.ready_at is not None and workload.admitted and not workload.is_true("PodsReady"):
        yield NoteReady(workload)


def _in_line(ticket: Ticket, workload: Workload, made_of: str, active: bool, too_long: datetime) -> Iterator[Step]:
    """The step on a ticket that waits; one that was admitted before `too_long` will not start there.

    What asks for something else than its ticket does now is changed while it holds nothing; later Kueue lets nobody.
    """
    if workload.going:
        return
    elif workload.is_true("Finished"):
        yield Remove(workload)
    elif not workload.reserved and (workload.attempt, workload.made_of) != (ticket.attempt, made_of):
        yield Rejoin(workload, ticket, active)
    elif workload.attempt != ticket.attempt:
        yield from _leave(workload)
    elif workload.active != active:
        yield Activate(workload, active)
    elif workload.asked_back:
        yield GiveBack(workload)
    elif workload.admitted and _admitted_before(workload, too_long):
        yield HoldOff(workload)


def _leave(workload: Workload) -> Iterator[Step]:
    """Deactivated first: Kueue would choose it again for the attempt that is over as soon as it has given back."""
    yield Activate(workload, False) if workload.active else GiveBack(workload)


def _admitted_before(workload: Workload, time: datetime) -> bool:
    said = workload.says("Admitted")
    return said is not None and bool(said.since) and datetime.fromisoformat(said.since.replace("Z", "+00:00")) <= time
