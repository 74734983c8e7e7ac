"""Owners who wait for devices of their own that others have borrowed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from labpool.domain.leases import Lease, Slot
from labpool.domain.needs import Need
from labpool.domain.outlook import Outlook
from labpool.domain.plans import Taken
from labpool.domain.taking_back import Victims, borrowed, cheapest, may_be_taken
from labpool.domain.tickets import Priority, Ticket
from labpool.domain.timeline import FOREVER, INSTANT

_PAUSE = timedelta(minutes=1)
_SOON = timedelta(seconds=1)
_AT_ONCE = 4
_IN_VAIN = 2
"""So many of a project may ask in vain at a look; who is behind them asks for much the same."""


class Owners:
    """Those of an outlook, at one decision.

    Each pair of project and flavour is looked at when something has changed for it, or at the time that its last look
    has told.
    """

    def __init__(self, outlook: Outlook, fresh: Iterable[str]) -> None:
        self._outlook = outlook
        self._rules = outlook.world.catalogue.queue
        self._now = outlook.now
        for ticket in (outlook.line.tickets[name] for name in fresh if name in outlook.slots):
            pair, may_ask = (ticket.project, ticket.flavour), ticket.in_line_since + self._rules.wait_before_taking
            if pair in outlook.asks_at:
                outlook.asks_at[pair] = min(outlook.asks_at[pair], may_ask)
        self._loans: dict[str, dict[str, list[Lease]]] = {}

    def take_back(self, came_free: bool) -> list[Taken]:
        """Take back what owners need inside their own devices, where nothing frees within the grace.

        `came_free`: something ended, so that who asked in vain before may ask again.
        """
        line, stirred = self._outlook.line, self._outlook.stirred
        freed = [line.tickets[name] for user in stirred.users for name in line.names_of(user)]
        changed = {(ticket.project, ticket.flavour) for ticket in freed}
        changed.update(pair for pair in line.projects_and_flavours() if pair[1] in stirred.nodes)
        pairs = set(self._due()) | (changed if came_free else set())
        return [taken for pair in sorted(pairs, key=self._use_for_weight) for taken in self._take_back_for(*pair)]

    def _due(self) -> list[tuple[str, str]]:
        """Pairs whose time has come, the first ones of many; the others soon, so that no decision takes long."""
        asks_at = self._outlook.asks_at
        due = [pair for pair in self._outlook.line.projects_and_flavours() if asks_at.get(pair, self._now) <= self._now]
        for pair in due[_AT_ONCE:]:
            asks_at[pair] = self._now + _SOON
        return due[:_AT_ONCE]

    def _take_back_for(self, project: str, flavour: str) -> Iterator[Taken]:
        """Serve the first of a project that need what it lends, as far as it holds less than its own devices."""
        outlook = self._outlook
        free = outlook.world.own(project, flavour, self._now) - outlook.held.of["project", project, flavour]
        asks_at, in_vain = FOREVER, 0
        waiting = self._waiting(project, flavour) if free > 0 and self._loans_of(flavour) else []
        for ticket in waiting:
            if not free:
                break
            may_ask = ticket.in_line_since + self._rules.wait_before_taking
            if ticket.gpus > free:
                continue
            if may_ask > self._now and not self._starts_in_time(ticket):
                asks_at = min(asks_at, may_ask)
                continue
            if not self._starts_in_time(ticket):
                yield from self._take_back_one(ticket)
            if self._starts_in_time(ticket):
                free -= ticket.gpus
                continue
            in_vain += 1
            asks_at = min(
                asks_at, self._next_loan_due(flavour), self._now + max(self._rules.wait_before_taking, _PAUSE)
            )
            if in_vain == _IN_VAIN:
                break
        outlook.asks_at[project, flavour] = asks_at

    def _waiting(self, project: str, flavour: str) -> list[Ticket]:
        tickets, slots = self._outlook.line.tickets, self._outlook.slots
        placed = (tickets[name] for name in self._outlook.line.names_in(project, flavour) if name in slots)
        owners = (ticket for ticket in placed if ticket.priority is not Priority.SCAVENGER)
        return sorted(owners, key=lambda ticket: (ticket.priority.rank, ticket.in_line_since, ticket.id))

    def _starts_in_time(self, ticket: Ticket) -> bool:
        return self._outlook.slots[ticket.id].start < self._latest

    def _next_loan_due(self, flavour: str) -> datetime:
        """When the next borrowed lease was left alone for long enough."""
        leases = (lease for on_node in self._loans_of(flavour).values() for lease in on_node)
        times = (lease.starts + self._rules.borrow_min for lease in leases)
        return min((at for at in times if at > self._now), default=FOREVER)

    def _use_for_weight(self, waiting: tuple[str, str]) -> tuple[float, str]:
        project, flavour = waiting
        return self._outlook.use_for_weight(project), flavour

    def _take_back_one(self, ticket: Ticket) -> Iterator[Taken]:
        need = self._outlook.schedule.needs.promised(ticket)
        if need is None or not self._project_may_hold(need):
            return
        for victims in self._offers(ticket):
            if self._place_after(ticket, need, victims):
                yield from (Taken(lease.ticket, self._ends, ticket.id) for lease in victims.leases)
                return

    @property
    def _ends(self) -> datetime:
        return self._now + self._rules.grace

    @property
    def _latest(self) -> datetime:
        """Before this an owner is to start."""
        return self._ends + self._outlook.schedule.margin + INSTANT

    def _offers(self, ticket: Ticket) -> list[Victims]:
        """Of each node the cheapest set of leases whose end would make room, the cheapest node first."""
        found, tickets = [], self._outlook.tickets
        with self._outlook.schedule.without_place_of(ticket.id):
            for node, loans in self._loans_of(ticket.flavour).items():
                may_go = (
                    each
                    for each in loans
                    if may_be_taken(each, tickets.get(each.ticket), self._rules, self._now)
                    and not self._is_its_own_soon(each)
                )
                ranked = [(lease, tickets[lease.ticket].priority.rank) for lease in may_go]
                missing = self._missing(ticket, node) if ranked else 0
                victims = cheapest(node, ranked, missing, self._now) if missing > 0 else None
                if victims:
                    found.append(victims)
        return sorted(found, key=lambda victims: (victims.cost, victims.node))

    def _loans_of(self, flavour: str) -> dict[str, list[Lease]]:
        """What is borrowed of a flavour, by node."""
        if flavour not in self._loans:
            loans: defaultdict[str, list[Lease]] = defaultdict(list)
            for lease in borrowed(self._outlook.world, self._outlook.leases.values(), flavour, self._now):
                for node in self._outlook.schedule.nodes_with(lease.devices):
                    loans[node].append(lease)
            self._loans[flavour] = loans
        return self._loans[flavour]

    def _is_its_own_soon(self, lease: Lease) -> bool:
        """Whether what was promised to it begins before it could be taken back."""
        slot = self._outlook.schedule.fallbacks.slots.get(lease.ticket)
        return slot is not None and slot.start < self._latest

    def _missing(self, ticket: Ticket, node: str) -> int:
        """Devices that the ticket lacks on a node when the grace is over, counting all that is booked there."""
        schedule = self._outlook.schedule
        start = self._ends + schedule.margin
        return ticket.gpus - schedule.free_on(node, ticket.flavour, start, start + ticket.duration + schedule.margin)

    def _project_may_hold(self, need: Need) -> bool:
        """Whether a project's own devices may suffice in time: what it holds itself, no other project's end changes."""
        slot, schedule = self._outlook.slots[need.ticket], self._outlook.schedule
        caps = (cap for cap in need.caps if cap.key[0] == "project")
        return all(schedule.cap_may_allow(cap, need, self._latest, slot) for cap in caps)

    def _place_after(self, ticket: Ticket, need: Need, victims: Victims) -> Slot | None:
        """Let the leases end and the ticket have its place behind them, if nothing else is in its way there."""
        outlook = self._outlook
        for lease in victims.leases:
            outlook.schedule.hold(replace(lease, ends=self._ends), outlook.tickets[lease.ticket])
        place = outlook.earlier(ticket.id, need, self._latest, {victims.node})
        if place is None:
            for lease in victims.leases:
                outlook.schedule.hold(lease, outlook.tickets[lease.ticket])
            return None
        for lease in victims.leases:
            outlook.shorten(lease, self._ends)
        del self._loans[ticket.flavour]
        outlook.place(ticket, place, outlook.ranks[ticket.id])
        return outlook.slots[ticket.id]
