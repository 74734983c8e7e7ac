"""The queue of one pool with all its places, from one decision to the next."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import chain, takewhile

from labpool.domain.differences import asked_alike, differences, lost_leases, rules_of
from labpool.domain.due_starts import can_all_start
from labpool.domain.fallbacks import above_own, falls_back
from labpool.domain.held import Held, Stirred
from labpool.domain.keeping import Kept, keep
from labpool.domain.leases import Lease, Place, Slot
from labpool.domain.line import Line, Planned
from labpool.domain.needs import Need
from labpool.domain.schedule import Schedule
from labpool.domain.tickets import Event, Priority, State, Ticket
from labpool.domain.world import World

WEAKEST = len(Priority)
"""Rank of a place that promises nothing: any promise may take it."""


class Outlook:
    """Line, leases and schedule at `now`; `follow` brings them up to date.

    `slots` are the places that tickets in line hold, and `ranks` say how strong: a promised one as its class. `stored`
    are places from before this decision that may have been lost in it. `fresh` are tickets that have none and were not
    looked at yet, and `stirred` is where something came free: a decision has only these to look at. `unpromised` are
    tickets without a promise by project, first come first; `kept` says what became of the stored slots; `pays_at` is
    when a project's budget lets somebody start who asks for too much now, FOREVER where nobody does.
    """

    def __init__(self, world: World, now: datetime) -> None:
        self.world, self.now = world, now
        self.schedule = Schedule(world, now)
        self.tickets = {ticket.id: ticket for ticket in world.tickets}
        self.leases = {lease.ticket: lease for lease in world.counted}
        self.groups = {ticket.user: ticket.groups for ticket in world.tickets}
        self._granted: set[str] = set()
        self._taken: set[str] = set()
        self.held = Held(world)
        in_order = sorted(world.line(), key=lambda ticket: ticket.priority.rank)
        self.line = Line.of(in_order)
        self.slots: dict[str, Slot] = {}
        self.ranks: dict[str, int] = {}
        self.by_start: defaultdict[str, list[Planned]] = defaultdict(list)
        self.unpromised: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
        self.stored = {slot.ticket: slot for slot in world.slots if slot.ticket in self.line.tickets}
        self.kept = keep(world, in_order, self.stored, now)
        self._place_all(self.kept)
        for name, slot in self.kept.fallbacks.items():
            self._fall_back_on(self.tickets[name], slot)
        self.fresh = [*self.kept.displaced, *(ticket.id for ticket in in_order if ticket.id not in self.stored)]
        self.stirred = Stirred()
        for flavour in {ticket.flavour for ticket in in_order}:
            self.stirred.nodes[flavour].update(self.schedule.nodes_of(flavour))
        self.asks_at: dict[tuple[str, str], datetime] = {}
        self.pays_at: dict[str, datetime] = {}
        self._told: tuple[Slot, ...] = ()

    def _place_all(self, kept: Kept) -> None:
        booked = []
        for name, place in kept.places.items():
            ticket, stored = self.line.tickets[name], self.stored[name]
            as_it_was = name in kept.held_up or (place.start, place.end) == (stored.start, stored.end)
            self.slots[name] = stored if as_it_was else Slot(name, place.node, place.start, place.end)
            self.by_start[ticket.flavour].append(Planned.of(ticket, self.slots[name].start))
            self.ranks[name] = WEAKEST if ticket.starts_by is None else ticket.priority.rank
            booked.append((self.schedule.needs.of(ticket), place, self.ranks[name]))
            if ticket.starts_by is None:
                self.go_unpromised(ticket)
        self.schedule.book_all(booked)
        for starts in self.by_start.values():
            starts.sort()

    # following the world

    def follow(self, world: World, now: datetime) -> bool:
        """Take over what has changed since the last decision; False where that tells of more than requests and ends."""
        before = self.world
        if (
            now < self.now
            or rules_of(world) != rules_of(before)
            or lost_leases(world) != lost_leases(before)
            or any(self.now < at <= now for at in before.turns(self.now))
        ):
            return False
        if world.slots != self._told and not self._same_slots(world):
            return False
        self.world, self.now, self.kept = world, now, Kept()
        self.schedule.pass_to(now, world.spent)
        self.stirred.projects.update(project for (project, _), _ in world.spent.of.items() ^ before.spent.of.items())
        self.stirred.projects.update(project for project, at in self.pays_at.items() if at <= now)
        return self._follow_tickets(before) and self._follow_leases(before) and self._can_start_all_due()

    def told(self, slots: tuple[Slot, ...]) -> None:
        """Note which slots are to be stored; the next world must show these."""
        self._told = slots
        self.stored.clear()

    def _same_slots(self, world: World) -> bool:
        """Whether just these slots are stored, those of tickets aside that wait no more."""
        stored = {slot.ticket: slot for slot in world.slots}
        waiting = {ticket.id for ticket in world.tickets if ticket.waits}
        held = {name: slot for name, slot in self.slots.items() if name in stored or name in waiting}
        kept = {name: slot for name, slot in self.schedule.fallbacks.slots.items() if name in stored}
        return stored == held | kept

    def _follow_tickets(self, before: World) -> bool:
        gone, come = differences(before.tickets, self.world.tickets)
        replaced = {ticket.id for ticket in come}
        for ticket in gone:
            if ticket.id not in replaced:
                self.leave(ticket.id)
                del self.tickets[ticket.id]
        for ticket in come:
            if self.groups.setdefault(ticket.user, ticket.groups) != ticket.groups:
                return False  # another limit may hold
            self._take_in(self.tickets.get(ticket.id), ticket)
            self.tickets[ticket.id] = ticket
        return True

    def _follow_leases(self, before: World) -> bool:
        gone, come = differences(before.counted, self.world.counted)
        current = {lease.ticket: lease for lease in come}
        if not current.keys() <= self.leases.keys():
            return False  # an admin granted it, maybe where others hold places
        for lease in gone:
            if lease.ticket not in current:
                self.free(lease.ticket)
        for lease in come:
            self._take_over(lease)
        not_taken, self._taken = self._taken - current.keys() - {lease.ticket for lease in gone}, set()
        if not_taken:
            return False
        unseen, self._granted = self._granted - current.keys(), set()
        for name in unseen:
            self.free(name)  # over already
        return all(name not in self.tickets for name in unseen)  # else one was not carried out

    def _take_over(self, lease: Lease) -> None:
        known = self.leases.get(lease.ticket)
        if known is None or (known.devices, known.ends) != (lease.devices, lease.ends):
            self.hold(lease, self.tickets[lease.ticket])
        self.leases[lease.ticket] = lease

    def _take_in(self, known: Ticket | None, ticket: Ticket) -> None:
        if known is None:
            self.schedule.needs.learn(ticket)
        if ticket.state is State.RUNNING:  # from now on it may be taken back
            self.asks_at = {pair: at for pair, at in self.asks_at.items() if pair[1] != ticket.flavour}
        if ticket.waits and known is not None and ticket.id in self.line.tickets and asked_alike(known, ticket):
            self.line.tickets[ticket.id] = ticket
            return
        self.leave(ticket.id)
        if not ticket.waits:
            return
        self.line.add(ticket)
        slot = self.schedule.fallbacks.give_up(ticket.id)
        if slot and ticket.starts_by is not None:
            self._stir(ticket, [slot.node])  # it needs less of it than before
            self.place(ticket, Place(slot.node, slot.start, slot.start + ticket.duration), ticket.priority.rank)
        else:
            self.fresh.append(ticket.id)

    def _can_start_all_due(self) -> bool:
        needs = self.schedule.needs
        due = [(slot, needs.of(self.line.tickets[slot.ticket])) for slot in self.due()]
        return can_all_start(due, self.schedule, self.held, self.world)

    def due(self) -> list[Slot]:
        """Slots whose time has come, in the order in which they are planned."""
        starts = (takewhile(lambda each: each.start <= self.now, planned) for planned in self.by_start.values())
        return [self.slots[each.ticket] for each in sorted(chain.from_iterable(starts))]

    def ticket(self, name: str) -> Ticket:
        """An open ticket."""
        return self.line.tickets.get(name) or self.tickets[name]

    # changing it

    def place(self, ticket: Ticket, place: Place, rank: int) -> None:
        """Let a ticket hold a place, instead of the one it has."""
        self.displace(ticket.id)
        self.slots[ticket.id] = Slot(ticket.id, place.node, place.start, place.end)
        self.ranks[ticket.id] = rank
        insort(self.by_start[ticket.flavour], Planned.of(ticket, place.start))
        self.schedule.book(self.schedule.needs.of(ticket), place, rank)

    def displace(self, name: str) -> None:
        """Take a ticket's place away, if it has one."""
        slot = self.slots.pop(name, None)
        if slot:
            del self.ranks[name]
            ticket = self.line.tickets[name]
            starts = self.by_start[ticket.flavour]
            del starts[bisect_left(starts, Planned.of(ticket, slot.start))]
            self.schedule.release(name)
            self._stir(ticket, [slot.node])

    def earlier(self, name: str, need: Need, before: datetime, within: Collection[str] | None = None) -> Place | None:
        """The earliest place before a time, on some nodes or all, the ticket's own one counted as free."""
        slot = self.slots.get(name)
        if slot is None:
            return self.schedule.earliest(need, before, within)
        others = self.schedule.nodes_of(need.flavour) if within is None else within
        if before <= slot.start and not self.schedule.may_have(need, others, before, slot):
            return None
        with self.schedule.without_place_of(name):
            return self.schedule.earliest(need, before, within)

    def grant(self, name: str, node: str) -> Lease:
        """Give a ticket its devices now. Where it borrows them, it keeps the place that it was promised for later."""
        ticket, slot = self.line.tickets[name], self.slots.get(name)
        devices = tuple(self.schedule.unleased(ticket.flavour, node)[: ticket.gpus])
        who = (name, ticket.user, ticket.name, ticket.project, ticket.flavour)
        charge = self.world.catalogue.charge_of(ticket.flavour)
        lease = Lease(*who, devices, self.now, self.now + ticket.duration, charge=charge)
        self.leave(name)
        self.hold(lease, ticket)
        self.leases[name] = lease
        self._granted.add(name)
        started, rules = ticket.after(Event.GRANT, self.now), self.world.catalogue
        if slot and falls_back(started, slot, rules, self.now) and above_own(lease, self.world, self.leases):
            self._fall_back_on(ticket, slot)
        return lease

    def _fall_back_on(self, ticket: Ticket, slot: Slot) -> None:
        self.schedule.fallbacks.keep(self.schedule.needs.of(ticket), slot, ticket.priority.rank)

    def give_up_fallback(self, name: str) -> None:
        """Keep no longer what a ticket that has started early could fall back on, if it has something."""
        slot = self.schedule.fallbacks.give_up(name)
        if slot:
            self._stir(self.tickets[name], [slot.node])

    def shorten(self, lease: Lease, ends: datetime) -> None:
        """Let a live lease end earlier."""
        shorter = replace(lease, ends=ends)
        self.hold(shorter, self.tickets[lease.ticket])
        self.leases[lease.ticket] = shorter
        self._taken.add(lease.ticket)

    def go_unpromised(self, ticket: Ticket) -> None:
        """Note that a ticket in line has no promise."""
        waiting, entry = self.unpromised[ticket.project], (ticket.in_line_since, ticket.id)
        if entry not in waiting[bisect_left(waiting, entry) :][:1]:
            insort(waiting, entry)

    def leave(self, name: str) -> None:
        """Let a ticket leave the line, if it is in it."""
        if name not in self.line.tickets:
            return
        self.displace(name)
        self.go_promised(self.line.remove(name))

    def go_promised(self, ticket: Ticket) -> None:
        """Note that a ticket is not among those without a promise, or not any more."""
        waiting, entry = self.unpromised[ticket.project], (ticket.in_line_since, ticket.id)
        at = bisect_left(waiting, entry)
        if waiting[at : at + 1] == [entry]:
            del waiting[at]

    def hold(self, lease: Lease, ticket: Ticket) -> None:
        """Note a lease, or a live one's new end."""
        known = self.leases.get(lease.ticket)
        if known:
            self.held.leave(known)
            if known.ends > lease.ends:
                self._stir(lease, self.schedule.nodes_with(lease.devices))
        self.held.take(lease)
        self.schedule.hold(lease, ticket)

    def free(self, name: str) -> None:
        """Note that a lease is over. Its user's other tickets may gain from that, whatever they wait for."""
        lease = self.leases.pop(name)
        slot = self.schedule.fallbacks.give_up(name)
        self.held.leave(lease)
        self.schedule.free(name)
        self._stir(lease, {*self.schedule.nodes_with(lease.devices), *([slot.node] if slot else ())})

    def server_is_held(self, ticket: Ticket) -> bool:
        """Whether an earlier lease of the same server is still live."""
        return self.held.of["server", ticket.user, ticket.name] > 0

    def use_for_weight(self, project: str) -> float:
        """What a project has used, and set aside, for its weight; the least gains first."""
        return self.held.use_for_weight(project, self.world.usage, self.now)

    def _stir(self, left: Lease | Ticket, nodes: Iterable[str]) -> None:
        self.stirred.nodes[left.flavour].update(nodes)
        self.stirred.users.add(left.user)
        self.stirred.projects.add(left.project)
