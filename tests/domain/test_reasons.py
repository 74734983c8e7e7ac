"""Why people wait, are refused, lose a promise or a server: every reason there is comes up, and says what helps.

Each table has scenarios for every member of its closed set, played through what the pool really does; a member that is
added without one fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timezone
from pathlib import Path
from typing import Any

import pytest
from labpool.domain.admitted import plan_admitted
from labpool.domain.budgets import Budget, Per
from labpool.domain.catalogue import Catalogue, Project
from labpool.domain.explain import why_waiting
from labpool.domain.inventory import Condition
from labpool.domain.planner import plan
from labpool.domain.plans import BreakCause
from labpool.domain.reasons import Refusal, RefusalReason, WaitReason
from labpool.domain.reservations import Reservation
from labpool.domain.sentences import broken_sentence, wait_sentence
from labpool.domain.tickets import Priority
from labpool.domain.verdicts import Verdict, Verdicts
from labpool.domain.world import World
from labpool.service.asking import Holds
from labpool.service.setting import Setting

from tests.domain.counter import NOW, Answer, Counter
from tests.domain.lab import MINUTE, NINE, add, at, catalogue, end, follow, inventory, lease, ticket

ONE, TWO = inventory({"n1": 1}), inventory({"n1": 2})


# why somebody waits


def all_in_use(*tickets: str, gpus: int = 4, share: tuple[int, int] = (4, 4)) -> World:
    """Two GPUs, one of them ada's until eleven, and who waits."""
    held = (lease("mine", "n1-0", user="ada"), lease("theirs", "n1-1", user="lin"))
    return World(TWO, catalogue({"vision": share}, gpus=gpus), tuple(map(ticket, tickets)), held)


def _of_others() -> World:
    return World(ONE, catalogue(), (ticket("train"),), (lease("theirs", "n1-0"),))


def _out_of_order() -> World:
    return World(inventory({"n1": 1}, withheld=["n1-0"]), catalogue(), (ticket("train"),))


def _promised_to_others() -> World:
    tickets = (ticket("pair", user="lin", gpus=2), ticket("train", hours=8, asked=0.1))
    return World(TWO, catalogue(), tickets, (lease("theirs", "n1-0"),))


def _own_plans() -> World:
    tickets = (ticket("pair", gpus=2), ticket("train", hours=8, asked=0.1))
    return World(TWO, catalogue(gpus=2), tickets, (lease("theirs", "n1-0"),))


def _planned_by_the_project() -> World:
    tickets = (ticket("pair", user="lin", gpus=2), ticket("train", hours=8, asked=0.1))
    held = (lease("theirs", "n1-0"), lease("others", "n1-1", project="speech"))
    return World(inventory({"n1": 4}), catalogue({"vision": (2, 0), "speech": (2, 0)}), tickets, held)


def _share_of_others() -> World:
    return World(TWO, catalogue({"vision": (1, 0)}), (ticket("train"),), (lease("theirs", "n1-0"),))


def _with(rules: Catalogue, project: str, **changes: Any) -> Catalogue:
    changed = replace(rules.projects[project], **changes)
    return replace(rules, projects=dict(rules.projects) | {project: changed})


def _used_up() -> World:
    held = (lease("theirs", "n1-0"),)
    return World(TWO, _with(catalogue(), "vision", budget=Budget(3, Per.DAY)), (ticket("train"),), held)


def _not_lent() -> World:
    rules = catalogue({"vision": (0, 2), "speech": (2, 0)})
    return World(TWO, _with(rules, "speech", lend={"gpu": 0}), (ticket("train"),))


def _reserved() -> World:
    rules = catalogue({"vision": (0, 2), "speech": (2, 0)})
    course = Reservation("course", at(1), at(3), "speech", "gpu", 2)
    return World(TWO, rules, (ticket("train"),), reservations=(course,))


def _closed_soon() -> World:
    return World(TWO, catalogue(), (ticket("train"),), reservations=(Reservation("fans", at(1), at(3), node="n1"),))


def _last_start() -> World:
    return World(TWO, catalogue(), (ticket("train"),), (replace(lease("old", "n1-0", user="ada"), name="train"),))


def _missed() -> World:
    return World(TWO, catalogue(), (replace(ticket("train"), ready=False, unclaimed=1, changed_at=NINE),))


def _out_of_service() -> World:
    return World(inventory({"n1": 1}, n1=Condition.DRAINED), catalogue(), (ticket("train"),))


def _cpu_taken_by_others() -> World:
    crowded = replace(TWO, nodes=tuple(replace(node, cpu_taken=15) for node in TWO.nodes))
    return World(crowded, catalogue(), (ticket("train"),))


def _said(*verdicts: Verdict, others: int = 0) -> World:
    """Where an engine with a queue of its own has said so much of the ticket."""
    told = Verdicts({verdict.ticket: verdict for verdict in verdicts}, {"gpu": others})
    return World(TWO, catalogue(), (ticket("train"),), verdicts=told)


def _says(why: WaitReason) -> Callable[[], World]:
    return lambda: _said(Verdict("train", place=1, why=why))


WAITS: dict[WaitReason, list[Callable[[], World]]] = {
    WaitReason.DEVICES: [
        lambda: all_in_use("train"),
        _of_others,
        _out_of_order,
        _out_of_service,
        _promised_to_others,
    ],
    WaitReason.PROJECT_LIMIT: [lambda: all_in_use("train", share=(2, 0)), _share_of_others, _planned_by_the_project],
    WaitReason.OWN_LIMIT: [lambda: all_in_use("train", gpus=1), _own_plans],
    WaitReason.BUDGET: [_used_up],
    WaitReason.KEPT_FOR_OTHERS: [_not_lent, _reserved, _closed_soon],
    WaitReason.SAME_SERVER: [_last_start],
    WaitReason.NOT_READY: [_missed],
    WaitReason.BEHIND_OTHERS: [lambda: _said(Verdict("train", place=2)), lambda: _said(Verdict("train", place=3))],
    WaitReason.NO_ROOM: [_says(WaitReason.NO_ROOM)],
    WaitReason.BESIDE_DEVICES: [_says(WaitReason.BESIDE_DEVICES), _cpu_taken_by_others],
    WaitReason.COMING_BACK: [_says(WaitReason.COMING_BACK)],
    WaitReason.USED_ELSEWHERE: [lambda: _said(Verdict("train", place=1, why=WaitReason.DEVICES), others=2)],
    WaitReason.QUEUE_STOPPED: [_says(WaitReason.QUEUE_STOPPED)],
    WaitReason.NOT_PLACED: [_says(WaitReason.NOT_PLACED)],
    WaitReason.UNDECIDED: [_said, lambda: _said(Verdict("train", place=1))],
}


@pytest.mark.parametrize("member", WaitReason)
def test_every_reason_to_wait_comes_up_and_says_what_helps(member: WaitReason):
    for scenario in WAITS[member]:
        world = scenario()
        decided = plan_admitted(world, world.verdicts, NOW) if world.verdicts else plan(world, NOW)
        world = follow(world, decided, NOW)
        waiting = next(each for each in world.tickets if each.id == "train")
        wait = why_waiting(waiting, world, NOW)
        assert wait
        assert wait.reason is member
        said = wait_sentence(waiting, wait, world.catalogue, timezone.utc, NOW)
        assert said.message.endswith(".")
        assert said.remedy.endswith(".")


# why a request is refused


def _waits_for_eight(counter: Counter) -> Answer:
    counter.given(n1=1).ask(user="lin")
    for number in range(8):
        counter.ask(name=f"s{number}")
    return counter.ask(name="ninth")


def _waits_for_other(counter: Counter) -> Answer:
    counter.given(n1=2).ask(user="lin", profile="gpu-2")
    counter.ask()
    return counter.ask(hours=2)


def _holds_other(counter: Counter) -> Answer:
    counter.ask()
    return counter.ask(profile="gpu-2")


def _is_ending(counter: Counter) -> Answer:
    held = counter.ask()
    assert isinstance(held, Holds)
    asyncio.run(counter.desk.stopping(held.ticket.id, "ada"))
    return counter.ask()


def _is_lost(counter: Counter) -> Answer:
    counter.given(n1=2).ask()
    counter.desk.found = Setting(inventory({"n1": 2}, n1=Condition.SILENT), counter.desk.catalogue)
    return counter.ask()


def _never_lent(counter: Counter) -> Answer:
    rules = catalogue({"vision": (0, 4), "speech": (4, 0)})
    return counter.given(_with(rules, "speech", lend={"gpu": 0}), n1=4).ask()


def _too_big_for_any_machine(counter: Counter) -> Answer:
    profile = replace(counter.desk.catalogue.profiles["gpu-1"], cpu=99)
    return counter.rule(profiles=dict(counter.desk.catalogue.profiles) | {"gpu-1": profile}).ask()


def _not_for_the_project(counter: Counter) -> Answer:
    return counter.projects(vision=replace(counter.desk.catalogue.projects["vision"], profiles=("gpu-2",))).ask()


REFUSALS: dict[RefusalReason, list[Callable[[Counter], Answer]]] = {
    RefusalReason.UNKNOWN_PROJECT: [lambda c: c.ask(project="visoin")],
    RefusalReason.NOT_A_MEMBER: [lambda c: c.projects(speech=Project("speech", "Speech group")).ask(project="speech")],
    RefusalReason.UNKNOWN_PROFILE: [lambda c: c.ask(profile="gpu-9")],
    RefusalReason.PROFILE_NOT_IN_PROJECT: [_not_for_the_project],
    RefusalReason.PROFILE_NEEDS_NO_DEVICE: [lambda c: c.ask(profile="cpu")],
    RefusalReason.TOO_SHORT: [lambda c: c.ask(hours=0.01)],
    RefusalReason.TOO_LONG: [lambda c: c.ask(hours=9)],
    RefusalReason.OVER_USER_LIMIT: [lambda c: c.given(catalogue(gpus=1)).ask(profile="gpu-2")],
    RefusalReason.OVER_PROJECT_LIMIT: [lambda c: c.given(catalogue({"vision": (0, 0)})).ask()],
    RefusalReason.OVER_BUDGET: [
        lambda c: c.given(_with(catalogue(), "vision", budget=Budget(3, Per.DAY))).ask(profile="gpu-2", hours=2)
    ],
    RefusalReason.KEPT_FOR_OTHERS: [_never_lent],
    RefusalReason.OVER_FLAVOUR: [lambda c: c.given(n1=1).ask(profile="gpu-2"), lambda c: c.given(n1=0).ask()],
    RefusalReason.OVER_NODE: [lambda c: c.ask(profile="gpu-3"), _too_big_for_any_machine],
    RefusalReason.TOO_MANY_QUEUED: [_waits_for_eight],
    RefusalReason.SERVER_HOLDS_OTHER_LEASE: [_holds_other],
    RefusalReason.SERVER_WAITS_FOR_OTHER: [_waits_for_other],
    RefusalReason.SERVER_IS_ENDING: [_is_ending, lambda c: c.ask(granted_only=True)],
    RefusalReason.SERVER_IS_LOST: [_is_lost],
}


@pytest.mark.parametrize("member", RefusalReason)
def test_every_refusal_comes_up_at_the_desk_and_says_what_to_do(member: RefusalReason, tmp_path: Path):
    for number, scenario in enumerate(REFUSALS[member]):
        folder = tmp_path / str(number)
        folder.mkdir()
        answer = scenario(Counter(folder))
        assert isinstance(answer, Refusal)
        assert answer.reason is member
        assert answer.message.endswith(".")
        assert answer.remedy.endswith(".")


# why a promise breaks


def promised(changed: Callable[[World], World], hours: float = 1.5) -> tuple[World, float]:
    """One GPU, in use until eleven, and a promise for the time after that; then something happens to it."""
    world = World(ONE, catalogue(), (ticket("train"),), (lease("busy", "n1-0"),))
    return changed(follow(world, plan(world, NINE), NINE)), hours


def _overrun(world: World) -> World:
    due_at = at(2) + MINUTE
    return follow(world, plan(world, due_at), due_at)


def _higher_class() -> tuple[World, float]:
    low = replace(ticket("train"), priority=Priority.BATCH)
    world = World(ONE, catalogue(), (low,), (lease("busy", "n1-0"),))
    return add(follow(world, plan(world, NINE), NINE), ticket("urgent", user="eve", asked=1)), 1.5


BREAKS: dict[BreakCause, Callable[[], tuple[World, float]]] = {
    BreakCause.DEVICE_UNAVAILABLE: lambda: promised(
        lambda world: replace(world, inventory=inventory({"n1": 1}, withheld=["n1-0"]))
    ),
    BreakCause.NODE_UNAVAILABLE: lambda: promised(
        lambda world: replace(world, inventory=inventory({"n1": 1}, n1=Condition.DRAINED))
    ),
    BreakCause.OVERRUN: lambda: promised(_overrun, 2.1),
    BreakCause.POOL_OUTAGE: lambda: promised(lambda world: end(world, "busy"), 5),
    BreakCause.HIGHER_CLASS: _higher_class,
    BreakCause.ADMIN_CHANGE: lambda: promised(lambda world: replace(world, catalogue=catalogue(gpus=0))),
}


@pytest.mark.parametrize("member", BreakCause)
def test_every_cause_breaks_a_promise_and_is_said(member: BreakCause):
    world, hours = BREAKS[member]()
    (broken,) = plan(world, at(hours)).broken
    assert (broken.ticket, broken.cause) == ("train", member)
    said = broken_sentence(broken, timezone.utc, at(hours))
    assert "You were told 11:01 UTC" in said
    assert said.endswith(".")
