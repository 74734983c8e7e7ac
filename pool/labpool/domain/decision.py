"""One decision: who starts, and who holds which place from now on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import Enum
from heapq import heapify, heappop, heappush, nsmallest
from itertools import chain

from labpool.domain.alarms import looks_at, note_who_can_pay_when, oldest_unpromised
from labpool.domain.displacing import make_room
from labpool.domain.held import Stirred
from labpool.domain.line import Planned
from labpool.domain.needs import flavour_key
from labpool.domain.outlook import WEAKEST, Outlook
from labpool.domain.owners import Owners
from labpool.domain.plans import BreakCause, BrokenPromise, Grant, Plan, Taken
from labpool.domain.tickets import Priority, Ticket
from labpool.domain.timeline import INSTANT

_NEXT = 16
_LOOKS = 48
"""How many places of a flavour are looked at for an earlier one, and how many looks one decision takes for that."""


class _Try(Enum):
    STARTED = "started"
    PASSED_OVER = "passed over"
    BLOCKED = "blocked"


class Decision:
    """One decision on an outlook, which it changes as it goes. `trouble` says which places could not stay, and why."""

    def __init__(self, outlook: Outlook) -> None:
        self.outlook, self.now = outlook, outlook.now
        self.schedule, self.line = outlook.schedule, outlook.line
        self.rules = outlook.world.catalogue
        self.trouble = dict(outlook.kept.trouble)
        self.given_up = dict(outlook.kept.given_up)
        self.grants: list[Grant] = []
        self.promised: list[str] = []
        self.taken: list[Taken] = []

    def decide(self, first: str = "") -> Plan:
        """Decide with what is known now; the ticket `first` may start before all others."""
        self._give_up_fallbacks()
        self._start_due()
        came_free, fresh = bool(self.outlook.stirred.nodes), self.outlook.fresh
        if first in self.line.tickets:
            self._try_now(first)
        for name in fresh:
            if name in self.line.tickets:
                self._place_anew(name)
        came_free |= self._give_slack(fresh)
        self._age()
        if came_free:
            self._improve(_LOOKS)
        self.taken = Owners(self.outlook, fresh).take_back(came_free)
        if self.taken:
            self._start_due()
            self._give_slack(())  # the owners leave their places, and who lost devices leaves room behind the owners
            self._improve(_LOOKS)
        if came_free or self.taken:
            self._promise_within_reservations()
        return self._finish()

    def _give_up_fallbacks(self) -> None:
        outlook = self.outlook
        for name in self.schedule.fallbacks.outdated(outlook.world, outlook.tickets, self.now):
            outlook.give_up_fallback(name)

    def _start_due(self) -> None:
        for slot in self.outlook.due():
            if slot.ticket not in self.outlook.kept.held_up:
                self._grant(slot.ticket, slot.node)

    def _place_anew(self, name: str) -> None:
        """Give a ticket the earliest place inside its project's own devices, as if lower classes held none."""
        ticket = self.line.tickets[name]
        rank = ticket.priority.rank
        need = self.schedule.needs.promised(ticket) if ticket.priority is not Priority.SCAVENGER else None
        found = self.schedule.earliest(need, rank=rank) if need else None
        if need is None or found is None:
            self.outlook.go_unpromised(ticket)
            return
        displaced, given_up = make_room(self.outlook, need, found, rank)
        self.trouble |= dict.fromkeys(displaced, BreakCause.HIGHER_CLASS)
        self.given_up |= dict.fromkeys(given_up, BreakCause.HIGHER_CLASS)
        if found.start == self.now:
            self._grant(name, found.node)
        else:
            self.outlook.place(ticket, found, rank)
            self.outlook.go_promised(ticket)
            self.promised.append(name)
        for other in displaced:
            self._place_anew(other)

    def _promise_within_reservations(self) -> None:
        """Let those look for a place who need what is reserved for their project: there may not have been one yet."""
        kinds = {(each.project, each.flavour) for each in self.outlook.world.reservations}
        for kind in sorted(kinds):
            without = [name for name in self.line.names_in(*kind) if name not in self.outlook.slots]
            for name in sorted(without, key=lambda name: (self.line.tickets[name].in_line_since, name)):
                if name in self.line.tickets and name not in self.outlook.slots:
                    self._place_anew(name)

    def _give_slack(self, fresh: Iterable[str]) -> bool:
        """Let start what can: the higher class first, then the project with the least use for its weight.

        Where devices came free, all that wait for such ones take part, elsewhere only those whose user holds less.
        Gives whether somebody has left a place behind.
        """
        places, before = None, len(self.outlook.slots)
        while places is None or len(self.outlook.slots) < places:
            places = len(self.outlook.slots)  # who starts may leave one behind that kept somebody else from starting
            for rank in range(len(Priority)):
                self._give_slack_to(rank)
            self._give_others_slack(fresh)
        return len(self.outlook.slots) < before

    def _give_others_slack(self, fresh: Iterable[str]) -> None:
        nodes = self.outlook.stirred.nodes
        others = self._freed() | (self.line.tickets.keys() & fresh)
        for ticket in sorted((self.line.tickets[name] for name in others), key=_by_work):
            if ticket.flavour not in nodes or ticket.id in fresh:
                self._try_now(ticket.id)

    def _freed(self) -> set[str]:
        """Tickets of users that hold less than before, and of projects whose budget has more left."""
        stirred, budgets = self.outlook.stirred, self.schedule.payments.budgets
        names = {name for user in stirred.users for name in self.line.names_of(user)}
        for project in stirred.projects & budgets.keys():
            if not self.schedule.payments.is_ample(project, self.line.sizes_of(project), self.now):
                names.update(self.line.names_of_project(project))
        return names

    def _give_slack_to(self, rank: int) -> None:
        """One round over the tickets of a class that wait for what came free."""
        outlook = self.outlook
        flavours = [flavour for flavour in outlook.stirred.nodes if self.schedule.horizon(flavour, 1) > self.now]
        gains = {project: self._gains(project, rank, flavours) for project in self.line.projects(flavours)}
        queue = [(outlook.use_for_weight(project), project) for project in gains]
        heapify(queue)
        while queue:
            _, project = heappop(queue)
            if next(gains[project], None) is not None:
                heappush(queue, (outlook.use_for_weight(project), project))

    def _gains(self, project: str, rank: int, flavours: Iterable[str]) -> Iterator[str]:
        """Start the project's tickets one after another, the least work first, as long as any can.

        Of like tickets one that can't start stands for all longer ones.
        """
        buckets = [
            (gpus, entries)
            for flavour in flavours
            for gpus, entries in self.line.buckets(project, rank, flavour)
            if self.now + entries[0][0] + self.schedule.margin <= self.schedule.horizon(flavour, gpus)
        ]
        heads = [(gpus * entries[0][0], *entries[0][1:], i) for i, (gpus, entries) in enumerate(buckets)]
        heapify(heads)
        passed_over = [0] * len(buckets)
        while heads:
            _, _, name, i = heappop(heads)
            outcome = self._try_now(name)
            gpus, entries = buckets[i]
            passed_over[i] += outcome is _Try.PASSED_OVER
            if outcome is not _Try.BLOCKED and passed_over[i] < len(entries):
                duration, since, following = entries[passed_over[i]]
                heappush(heads, (gpus * duration, since, following, i))
            if outcome is _Try.STARTED:
                yield name

    def _try_now(self, name: str) -> _Try:
        ticket, slot = self.line.tickets[name], self.outlook.slots.get(name)
        if self.outlook.server_is_held(ticket):
            return _Try.PASSED_OVER
        horizon = self.schedule.horizon(ticket.flavour, ticket.gpus)
        until = self.now + ticket.duration + self.schedule.margin
        if horizon <= self.now or (until > horizon and not (slot and slot.start < until)):
            return _Try.BLOCKED
        need = self.schedule.needs.of(ticket)
        place = self.outlook.earlier(name, need, self.now + INSTANT)
        if place is None:
            own_server, *_ = need.caps  # what is in the way there is in the way of no other ticket
            return _Try.BLOCKED if self.schedule.allows(own_server, self.now, until) else _Try.PASSED_OVER
        self._grant(name, place.node)
        return _Try.STARTED

    def _age(self) -> None:
        """Give the first of each project that waits long without a promise a place that only promises may take."""
        for since, name in oldest_unpromised(self.outlook):
            if name not in self.outlook.slots and self.now >= since + self.rules.queue.unpromised:
                ticket = self.line.tickets[name]
                found = self.schedule.earliest(self.schedule.needs.of(ticket))
                if found:
                    self.outlook.place(ticket, found, WEAKEST)

    def _improve(self, looks: int) -> None:
        """Let those that are next look for an earlier place, round after round, until nobody finds one."""
        next_ones = self._next_in_line()[:looks]
        moved = [name for name in next_ones if self._improve_one(name)]
        if moved:
            self._give_slack(())  # what they leave may be what somebody waits for
            if looks > len(next_ones):
                self._improve(looks - len(next_ones))

    def _next_in_line(self) -> list[str]:
        """Who holds a place soon where something came free, or whose user or project holds less; first come first."""
        outlook, tickets = self.outlook, self.line.tickets
        planned = (outlook.by_start[flavour][:_NEXT] for flavour in outlook.stirred.nodes)
        names = {each.ticket for each in chain.from_iterable(planned)}
        # all those may be of projects that hold as much as they may
        of_projects = (name for each in outlook.stirred.projects for name in self.line.names_of_project(each))
        for freed in (self._freed(), of_projects):
            own = (Planned.of(tickets[name], outlook.slots[name].start) for name in freed if name in outlook.slots)
            names.update(each.ticket for each in nsmallest(_NEXT, own))
        return sorted(names, key=lambda name: (tickets[name].priority.rank, tickets[name].in_line_since, name))

    def _improve_one(self, name: str) -> bool:
        slot = self.outlook.slots.get(name)
        if slot is None or slot.start <= self.now:
            return False
        if self._try_now(name) is _Try.STARTED:  # its own place may be all that kept it
            return True
        ticket, stirred, needs = self.line.tickets[name], self.outlook.stirred, self.schedule.needs
        rank = self.outlook.ranks[name]
        need = (needs.promised(ticket) if rank < WEAKEST else None) or needs.of(ticket)
        held_less = ticket.user in stirred.users or ticket.project in stirred.projects
        anywhere = held_less or self.schedule.guarantees.has(flavour_key(ticket.flavour))
        within = None if anywhere else stirred.nodes[ticket.flavour]
        found = self.outlook.earlier(name, need, slot.start, within)
        if found is None:
            return False
        if found.start == self.now:
            self._grant(name, found.node)
        else:
            self.outlook.place(ticket, found, rank)
        return True

    def _finish(self) -> Plan:
        """Read the decision off, and be ready for the next one."""
        outlook = self.outlook
        note_who_can_pay_when(outlook, {self.outlook.leases[grant.ticket].project for grant in self.grants})
        reports = (self._broken(name, cause) for name, cause in self.trouble.items())
        outlook.fresh, outlook.stirred = [], Stirred()
        decided = Plan(
            grants=tuple(self.grants),
            slots=(*outlook.slots.values(), *self.schedule.fallbacks.slots.values()),
            taken=tuple(self.taken),
            broken=(*(report for report in reports if report), *self._nothing_to_fall_back_on()),
            promises={name: outlook.slots[name].start for name in self.promised if self._is_first(name)},
            looks_at=looks_at(outlook),
        )
        outlook.told(decided.slots)
        return decided

    def _is_first(self, name: str) -> bool:
        return name in self.outlook.slots and self.line.tickets[name].starts_by is None

    def _grant(self, name: str, node: str) -> None:
        lease = self.outlook.grant(name, node)
        self.grants.append(Grant(name, lease.devices, lease.starts, lease.ends))

    def _broken(self, name: str, cause: BreakCause) -> BrokenPromise | None:
        """The ticket's promise if this very decision breaks it; None where it stands or was reported before."""
        ticket, stored = self.outlook.ticket(name), self.outlook.stored.get(name)
        if ticket.starts_by is None or stored is None:
            return None
        fallback, promised, queue = self.schedule.fallbacks.slots.get(name), ticket.starts_by, self.rules.queue
        place = self.outlook.slots.get(name) or fallback
        start = place.start if place else self.now if name in self.outlook.leases else None
        latest = promised + (queue.planned_lateness if place else queue.lateness)
        if stored.start > promised + queue.planned_lateness or (start and start <= latest):
            return None
        return BrokenPromise(name, promised, start, cause, runs=fallback is not None)

    def _nothing_to_fall_back_on(self) -> Iterator[BrokenPromise]:
        """Promises to tickets that have started early, and would not be kept if their lease were taken back."""
        for name, cause in self.given_up.items():
            promised = self.outlook.ticket(name).starts_by
            if promised is not None:
                yield BrokenPromise(name, promised, None, cause, runs=True)


def _by_work(ticket: Ticket) -> tuple[int, timedelta, datetime, str]:
    return ticket.priority.rank, ticket.gpus * ticket.duration, ticket.in_line_since, ticket.id
