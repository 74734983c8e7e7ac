"""From whatever a crash left behind a few rounds of steps lead to the Workloads that tickets should have, and stop.

What the API server and Kueue make of a step is played in memory; Kueue gives nobody a turn meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.admissible import Admissible
from labpool.domain.leases import Lease
from labpool.domain.tickets import Event, State, Ticket
from labpool.domain.world import World
from labpool.kueue.keeping import Activate, GiveBack, HoldOff, Make, NoteReady, Rejoin, Remove, Step, steps
from labpool.kueue.workload_manifests import name_of
from labpool.kueue.workloads import Condition, Workload

from tests.domain.lab import HOUR, NINE, catalogue, inventory, lease, running, ticket

NAMES = ("one", "two", "three")
ROUNDS = 6
NOW = "as pool.yaml says now"
CONDITIONS = ("QuotaReserved", "Admitted", "Evicted", "PodsReady", "Finished")
Workloads = dict[str, Workload]


@st.composite
def tickets(draw: st.DrawFn) -> tuple[list[Ticket], list[Lease]]:
    found, leases = [], []
    for number, name in enumerate(NAMES):
        state = draw(st.sampled_from(["gone", "queued", "again", "missed", "ready", "held", "up"]))
        asked = ticket(name, user="ada" if number < 2 else "bert", gpus=2)
        match state:
            case "queued":
                found.append(asked)
            case "again":
                found.append(running(lease(name, "x-0", "x-1")).after(Event.RECLAIM, NINE).requeued(NINE, HOUR))
            case "missed" | "ready":
                missed = asked.after(Event.GRANT, NINE).after(Event.UNCLAIMED, NINE)
                found.append(missed.said_ready(NINE) if state == "ready" else missed)
            case "held" | "up":
                held = lease(name, f"n1-{2 * number}", f"n1-{2 * number + 1}", user=asked.user)
                leases.append(replace(held, ready_at=NINE if state == "up" else None))
                found.append(running(held))
    return found, leases


@st.composite
def left_behind(draw: st.DrawFn) -> Workloads:
    found = {}
    for name in (*NAMES, "stranger"):
        for suffix in ("", "-1"):
            if draw(st.booleans()):
                true = draw(st.sets(st.sampled_from(CONDITIONS)))
                conditions = tuple(Condition(each, "True", since="2026-03-02T09:00:00Z") for each in sorted(true))
                full, attempt, active = f"ticket-{name}{suffix}", draw(st.integers(1, 2)), draw(st.booleans())
                found[full] = Workload(
                    full, "u", "1", "vision", 300, NINE, "p1", name, attempt, "", active, conditions=conditions
                )
    return found


def after(there: Workloads, step: Step, held_off: set[str]) -> Workloads:
    """What becomes of a step."""
    match step:
        case Remove(workload=workload):
            return {name: each for name, each in there.items() if name != workload.name}
        case Make(ticket=asked, active=active):
            changed = Workload(
                name_of(asked), "u", "1", "vision", 300, NINE, "p1", asked.id, asked.attempt, NOW, active
            )
        case Activate(workload=workload, active=active):
            changed = _activated(workload, active)
        case HoldOff(workload=workload):
            held_off.add(workload.ticket)
            changed = _activated(workload, False)
        case Rejoin(workload=workload, ticket=asked, active=active):
            changed = replace(_activated(workload, active), attempt=asked.attempt, made_of=NOW)
        case GiveBack(workload=workload):
            changed = _without(workload, "QuotaReserved", "Admitted", "PodsReady")
        case NoteReady(workload=workload):
            changed = _with(workload, "PodsReady")
    return there | {changed.name: changed}


def _activated(workload: Workload, active: bool) -> Workload:
    return replace(workload, active=active) if active else replace(_with(workload, "Evicted"), active=False)


def _with(workload: Workload, kind: str) -> Workload:
    return replace(_without(workload, kind), conditions=(*_without(workload, kind).conditions, Condition(kind, "True")))


def _without(workload: Workload, *kinds: str) -> Workload:
    return replace(workload, conditions=tuple(each for each in workload.conditions if each.type not in kinds))


def wanted(world: World) -> Iterator[Ticket]:
    return (each for each in world.tickets if each.state is not State.QUEUED or each.ready)


@given(tickets(), left_behind())
def test_steps_lead_to_what_should_be_and_end_there(found: tuple[list[Ticket], list[Lease]], there: Workloads):
    world = World(inventory({"n1": 8}), catalogue(gpus=2), tuple(found[0]), tuple(found[1]))
    held_off: set[str] = set()
    for _ in range(ROUNDS):
        for step in list(steps(world, there, lambda _: NOW, held_off, NINE)):
            there = after(there, step, held_off)
    assert list(steps(world, there, lambda _: NOW, held_off, NINE)) == []
    in_line = world.line()
    assert there.keys() <= {name_of(each) for each in wanted(world)}
    assert {name_of(each) for each in in_line} <= there.keys()
    rules = Admissible(world, NINE)
    for each in in_line:
        workload = there[name_of(each)]
        assert workload.attempt == each.attempt
        assert workload.reserved or workload.made_of == NOW
        assert workload.active is (rules.may_wait_for_devices(each) and each.id not in held_off)
        assert not workload.asked_back
