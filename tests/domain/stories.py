"""Stories in the documentation, played through the real planner.

A story is a fenced block of the kind ``pool``: settings, then lines of a time, what happens, and after ``->`` all that
follows from it. Between two lines leases end and the pool looks round, as it does in the service. A day's budget begins
anew at midnight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from labpool.domain.budgets import Budget, Per
from labpool.domain.ends import Requeue, due
from labpool.domain.explain import place, why_waiting
from labpool.domain.extending import Extended, extend
from labpool.domain.fallbacks import has_fallback
from labpool.domain.inventory import Condition
from labpool.domain.planner import plan
from labpool.domain.plans import Plan, Taken
from labpool.domain.reasons import NotExtended
from labpool.domain.tickets import Event, State, Ticket
from labpool.domain.words import ordinal
from labpool.domain.world import World

from tests.domain.lab import NINE, add, catalogue, end, follow, inventory
from tests.domain.reserving_stories import OUTCOME, RESERVES, released, releases, reserve

WHO = r'(?P<who>\w+(?: "\w+")?)'
ASKS = re.compile(WHO + r" asks for (?P<gpus>\d) GPUs? for (?P<hours>\d+) h(?: in (?P<project>\w+))?")
EXTENDS = re.compile(WHO + r" extends by (?P<hours>\d) h")
ACTS = re.compile(WHO + r" (?P<does>stops|leaves the line)")
WAITS = re.compile(WHO + r" is (?P<place>\w+) in line, at the latest (?P<by>[\d:]+)(?:, because (?P<why>\w+))?")
UNPROMISED = re.compile(WHO + r" is (?P<place>\w+) in line, without a promise(?:, because (?P<why>\w+))?")
TAKEN = re.compile(WHO + r" gives back at (?P<at>[\d:]+)")
RUNS = re.compile(WHO + r" runs until (?P<at>[\d:]+)")
REFUSED = re.compile(WHO + r" is not extended, because (?P<why>\w+)(?:, and could run until (?P<at>[\d:]+))?")
PLANNED = re.compile(WHO + r" is planned for (?P<at>[\d:]+)")
BROKEN = re.compile(r"promises? to (?P<who>[\w ]+) (?:is|are) broken by (?P<cause>\w+)")


def stories_in(page: Path) -> list[str]:
    """The blocks of a page."""
    return re.findall(r"```pool\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def play(story: str) -> list[tuple[str, str, str]]:
    """Play a story; give the lines whose outcome was another one, as (line, told, found)."""
    settings, _ = settings_and_lines(story)
    return play_into(Story(world_of(settings)), story)


def settings_and_lines(story: str) -> tuple[list[str], list[str]]:
    """A story's settings, and what happens in it."""
    lines = [line for line in story.splitlines() if line.strip()]
    settings = [line for line in lines if not line[0].isdigit()]
    return settings, lines[len(settings) :]


def play_into(played: Story, story: str) -> list[tuple[str, str, str]]:
    """Let everything that a story tells happen; give the lines whose outcome was another one."""
    wrong = []
    for line in settings_and_lines(story)[1]:
        clock, happens, told = re.fullmatch(r"(\S+) (.*?)\s+-> (.*)", line).groups()  # type: ignore[union-attr]
        played.advance(_time(clock))
        played.happen(happens)
        expected = [] if told == "nothing" else told.split("; ")
        found = played.outcome([word for word in expected if not word.endswith("starts")])
        if sorted(found) != sorted(expected):
            wrong.append((line, told, "; ".join(found)))
    return wrong


def world_of(settings: list[str]) -> World:
    """The pool that a story's settings tell of."""
    values = dict(line.split(": ") for line in settings)
    count, limit = int(values.pop("GPUs")), int(values.pop("One user", "8"))
    budgets = {name: values.pop(name) for name in list(values) if name.startswith("Budget of ")}
    numbers = {name.lower(): tuple(int(n) for n in re.findall(r"\d+", told)) for name, told in values.items()}
    rules = catalogue({name: (own, borrowed) for name, (own, borrowed, *_) in numbers.items()}, gpus=limit)
    projects = dict(rules.projects)
    for name, (_, _, *lends) in numbers.items():
        projects[name] = replace(projects[name], lend={"gpu": lends[0]} if lends else {})
    for told, budget in budgets.items():
        hours, per = budget.split(" a ")
        name = told.removeprefix("Budget of ").lower()
        projects[name] = replace(projects[name], budget=Budget(float(hours), Per(per)))
    return World(inventory({"n1": count}), replace(rules, projects=projects))


def _time(clock: str) -> datetime:
    hours, minutes = (int(part) for part in clock.split(":"))
    return NINE.replace(hour=hours, minute=minutes)


_BREAKS = {"a GPU breaks": True, "the GPU works again": False}
_TURNS = {
    "the machine is drained": Condition.DRAINED,
    "the machine fails": Condition.FAILED,
    "the machine is back": Condition.SERVING,
}


@dataclass
class Story:
    """The pool of one story."""

    world: World
    now: datetime = NINE
    running: bool = True
    last: Plan = field(default_factory=Plan)
    started: list[str] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    refused: NotExtended | None = None
    reserved: str = ""

    def advance(self, to: datetime) -> None:
        """Let time pass: leases end, slots begin, the pool looks at each."""
        self.started.clear()
        self.taken.clear()
        while self.running:
            moments = [held.ends for held in self.world.leases] + [slot.start for slot in self.world.slots]
            moments += [self.last.looks_at] if self.last.looks_at else []
            moments += releases(self.world)
            ahead = min((moment for moment in moments if self.now < moment < to), default=None)
            if ahead is None:
                break
            self.now = ahead
            self._look()
        self.now = to

    def happen(self, what: str) -> None:
        """One thing happens, and the pool looks round if it runs."""
        if asks := ASKS.fullmatch(what):
            self.world = add(self.world, self._ticket(asks))
        elif extends := EXTENDS.fullmatch(what):
            self._extend(extends["who"], timedelta(hours=int(extends["hours"])))
        elif acts := ACTS.fullmatch(what):
            self._end_of(acts["who"], self.now)
        elif reserves := RESERVES.fullmatch(what):
            self.world, self.reserved = reserve(self.world, reserves, self.now)
        elif what == "time passes":
            pass
        elif what in _BREAKS:
            broken = ((self.world.inventory.devices[0].id, "broken"),) if _BREAKS[what] else ()
            self.world = replace(self.world, inventory=replace(self.world.inventory, withheld=broken))
        elif what in _TURNS:
            self._turn(_TURNS[what])
        else:
            self.running = {"the pool goes down": False, "the pool comes back": True}[what]
        if self.running:
            self._look()

    def outcome(self, asked_about: list[str]) -> list[str]:
        """What follows now, in the words of the page: all starts, and the facts that are asked about."""
        return [f"{name} starts" for name in self.started] + [self._fact(told) for told in asked_about]

    def _fact(self, told: str) -> str:
        if waits := WAITS.fullmatch(told):
            return self._wait(waits["who"], with_reason=waits["why"] is not None)
        if waits := UNPROMISED.fullmatch(told):
            return self._wait(waits["who"], with_reason=waits["why"] is not None)
        if lease := RUNS.fullmatch(told) or REFUSED.fullmatch(told):
            return self._end(lease["who"])
        if TAKEN.fullmatch(told):
            return "; ".join(f"{taken.ticket} gives back at {taken.ends:%H:%M}" for taken in self.taken)
        if planned := PLANNED.fullmatch(told):
            start = next(slot.start for slot in self.world.slots if slot.ticket == planned["who"])
            return f"{planned['who']} is planned for {start:%H:%M}"
        if BROKEN.fullmatch(told) or OUTCOME.fullmatch(told):
            return self.reserved if OUTCOME.fullmatch(told) else self._broken()
        raise ValueError(f"a story tells {told!r}, which is none of the outcomes that can be checked")

    def _wait(self, who: str, with_reason: bool) -> str:
        ticket = next(t for t in self.world.tickets if t.id == who)
        promise = f"at the latest {ticket.starts_by:%H:%M}" if ticket.starts_by else "without a promise"
        said = f"{who} is {ordinal(place(ticket, self.world) or 0)} in line, {promise}"
        wait = why_waiting(ticket, self.world, self.now)
        return f"{said}, because {wait.reason.value}" if wait and with_reason else said

    def _broken(self) -> str:
        names = [report.ticket for report in self.last.broken]
        causes = {report.cause.value for report in self.last.broken}
        many = "promises to {} are" if len(names) > 1 else "promise to {} is"
        return f"{many.format(' and '.join(names))} broken by {', '.join(sorted(causes))}"

    def _ticket(self, asks: re.Match[str]) -> Ticket:
        user, _, name = asks["who"].partition(" ")
        gpus, project = int(asks["gpus"]), (asks["project"] or "vision").lower()
        hours = timedelta(hours=int(asks["hours"]))
        return Ticket(asks["who"], user, frozenset(), name, project, f"gpu-{gpus}", "gpu", gpus, hours, self.now)

    def _end(self, who: str) -> str:
        """What came of an extension."""
        if self.refused is None:
            return f"{who} runs until {next(held for held in self.world.leases if held.ticket == who).ends:%H:%M}"
        said = f"{who} is not extended, because {self.refused.reason.value}"
        return f"{said}, and could run until {self.refused.until:%H:%M}" if self.refused.until else said

    def _end_of(self, who: str, at: datetime) -> None:
        """End a ticket; what its lease has used until `at` is taken off the budget."""
        budgets, rules = self.world.catalogue.budgets(), self.world.catalogue
        for held in self.world.leases:
            if held.ticket == who and held.project in budgets:
                rate = rules.rate(held.flavour, len(held.devices))
                until = min(held.ends, at)
                spent = self.world.spent.with_run(budgets[held.project], held.project, rate, held.starts, until)
                self.world = replace(self.world, spent=spent)
        self.world = end(self.world, who)

    def _extend(self, who: str, by: timedelta) -> None:
        found = extend(next(t for t in self.world.tickets if t.id == who), self.world, self.now, by)
        self.refused = found if isinstance(found, NotExtended) else None
        if isinstance(found, Extended):
            self.world = add(end(self.world, who), found.ticket)
            self.world = replace(self.world, leases=(*self.world.leases, found.lease))

    def _look(self) -> None:
        self._settle()
        self.world = released(self.world, self.now)
        self.last = plan(self.world, self.now)
        self.started += [grant.ticket for grant in self.last.grants]
        self.taken += self.last.taken
        self.world = follow(self.world, self.last, self.now)
        tickets = (t.after(Event.FIRST_USE, self.now) if t.state is State.GRANTED else t for t in self.world.tickets)
        self.world = replace(self.world, tickets=tuple(tickets))

    def _turn(self, condition: Condition) -> None:
        nodes = tuple(replace(node, condition=condition, since=self.now) for node in self.world.inventory.nodes)
        self.world = replace(self.world, inventory=replace(self.world.inventory, nodes=nodes))

    def _settle(self) -> None:
        """End what is over; who gave borrowed GPUs back, or lost them with the machine, is in line again."""
        rules = self.world.catalogue.queue
        for held in self.world.leases:
            ticket = next(t for t in self.world.tickets if t.id == held.ticket)
            node = self.world.inventory.lost_node(held.devices)
            step = due(held, ticket, rules, self.now, alive=False, lost_with=node) if node else None
            if isinstance(step, Requeue):
                self._end_of(ticket.id, step.used_until or self.now)
                back = has_fallback(ticket, self.world.slots, self.world.catalogue, self.now)
                self.world = add(self.world, ticket.requeued(self.now, step.left, back))
        over = {held.ticket: held for held in self.world.leases if held.ends <= self.now}
        ended = [t for t in self.world.tickets if t.id in over]
        for name in over:
            self._end_of(name, self.now)
        for ticket in ended:
            left = ticket.duration - (over[ticket.id].ends - over[ticket.id].starts)
            if ticket.state is State.RECLAIMING:
                back = has_fallback(ticket, self.world.slots, self.world.catalogue, self.now)
                self.world = add(self.world, ticket.requeued(self.now, left, back))
