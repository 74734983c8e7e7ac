"""The desk: everything that people and servers ask of the pool, each answered in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from labpool.api_models import SpawnAsked
from labpool.domain.catalogue import Catalogue
from labpool.domain.ends import End, Requeue, TakeBack, due
from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease
from labpool.domain.reasons import Refusal
from labpool.domain.tickets import HOLDING, EndReason, Event, State, Ticket
from labpool.domain.verdicts import Verdicts
from labpool.domain.world import World
from labpool.service.asking import Files, Holds, Waits, answer
from labpool.service.changes import Changes
from labpool.service.deciding import apply_plan
from labpool.service.ending import back_in_line, tell_unclaimed
from labpool.service.fair_share import FairShare
from labpool.service.in_force import InForce, end_overdue, look_by
from labpool.service.likely_starts import LikelyStarts
from labpool.service.metrics.counts import CountedPlanner, Counts
from labpool.service.occurrences import Occurrences
from labpool.service.setting import Setting
from labpool.service.spending import Spending
from labpool.service.trail import note
from labpool.service.turns import Turns
from labpool.store import Store, Transaction

Done = TypeVar("Done")


class NoSuchTicket(LookupError):
    """No ticket has this id."""


class NotNow(Exception):
    """The ticket's state does not allow what was asked; the message says which state would."""


class Desk:
    """Takes requests, one at a time. Deciding is serial, so no two decisions see the same free device.

    Args:
        store: Where tickets and leases are kept.
        setting: Devices and rules as found at the start; the reconciler keeps them current (`found`), both at once.
        clock: The current time, aware.
        changes: Told after each transaction that changed something.
    """

    def __init__(self, store: Store, setting: Setting, clock: Callable[[], datetime], changes: Changes) -> None:
        self.found = setting
        self.clock, self.changes = clock, changes
        self.verdicts: Callable[[], Verdicts | None] = lambda: None  # set where an engine has a queue of its own
        self.granted: Callable[[Sequence[Ticket]], None] = lambda _: None  # told whose turn came, but for who asked
        self.looks_at: datetime | None = None
        self.hub_answers = False
        self._looked_at: datetime | None = None
        self._fair_share, self._spending = FairShare(), Spending()
        self.counts = Counts()
        self._planner = CountedPlanner(self.counts)
        self._in_force, self._likely, self.occurrences = InForce(), LikelyStarts(), Occurrences()
        self._store, self._turns = store, Turns()
        self.known_pseudonym = store.known_pseudonym
        self._thread = ThreadPoolExecutor(1, "deciding")  # its own: what was given up is over before the next begins

    @property
    def setting(self) -> Setting:
        """What was found, with what admins said of it."""
        return self._in_force.of(self.found, self._store.acts(), self.clock())

    @property
    def inventory(self) -> Inventory:
        """The devices there are."""
        return self.setting.inventory

    @property
    def catalogue(self) -> Catalogue:
        """What the lab decided."""
        return self.setting.catalogue

    async def ask(self, asked: SpawnAsked) -> Holds | Waits | Refusal:
        """The lease of (user, server); a ticket where there is none yet; a refusal where there can be none."""
        return await self.change(lambda change: self.answer(change, asked), replan=False)  # what it files is planned

    async def stopped(self, ticket_id: str, actor: str) -> None:
        """End a ticket whose server a person stopped; its process is gone. A queued ticket stays queued."""

        def end(change: Transaction) -> None:
            ticket, lease = change.ticket(ticket_id), change.lease_of(ticket_id)
            if ticket is None or lease is None:
                return
            step = due(lease, ticket, self.catalogue.queue, self.clock(), alive=False)
            told = lease.stopping_since is not None
            if told and isinstance(step, Requeue):
                self.put_back(change, ticket, step, actor)
                return
            reason = step.reason if told and isinstance(step, End) else EndReason.STOPPED
            self.finish(change, ticket, Event.END, reason, actor)

        await self.change(end)

    async def stopping(
        self, ticket_id: str, actor: str, reason: EndReason | None = None, seen: tuple[State, datetime] | None = None
    ) -> bool:
        """Note that a ticket's server is told to stop; its lease ends, for `reason`, once nothing of it runs.

        A reason ends it for good, even where it stops already to be in line again. False, and nothing is noted, where
        it holds no lease, or the state or the end that it was to be stopped for is not as `seen` any more.
        """

        def write(change: Transaction) -> bool:
            ticket, lease = change.ticket(ticket_id), change.lease_of(ticket_id)
            if ticket is None or lease is None or seen not in (None, (ticket.state, lease.ends)):
                return False
            now = self.clock()
            step = due(lease, ticket, self.catalogue.queue, now, alive=False)
            if lease.stopping_since is None or (reason and isinstance(step, Requeue | TakeBack)):
                change.save_lease(replace(lease, stopping_since=lease.stopping_since or now, stopping_for=reason))
                note(change, now, actor, "stopping", ticket_id)
            return True

        return await self.change(write)

    async def end(self, ticket_id: str, reason: EndReason, actor: str) -> None:
        """End a ticket that holds a lease and of which nothing runs."""

        def write(change: Transaction) -> None:
            ticket = self.get(change, ticket_id)
            if ticket.state in HOLDING:
                self.finish(change, ticket, Event.END, reason, actor)

        await self.change(write)

    async def claim(self, ticket_id: str) -> None:
        """Note that a person used the ticket's server: from now on the lease is theirs to its end.

        Raises:
            NoSuchTicket: no ticket has this id.
            NotNow: the ticket holds no lease.
        """

        def use(change: Transaction) -> None:
            ticket, lease = self.get(change, ticket_id), change.lease_of(ticket_id)
            if lease is not None and lease.stopping_since is not None:
                raise NotNow("This server is being stopped, so using it claims nothing any more.")
            if ticket.state is State.GRANTED:
                self.save(change, ticket.after(Event.FIRST_USE, self.clock()), ticket.user, "first_use")
            elif ticket.state not in HOLDING:
                raise NotNow(f"This ticket is {ticket.state.value} and holds no GPU, so its server cannot claim one.")

        await self.change(use)

    async def find(self, ticket_id: str) -> Ticket | None:
        """A ticket, open or ended."""
        return await self.view(lambda view: view.ticket(ticket_id))

    async def find_lease(self, ticket_id: str) -> Lease | None:
        """A ticket's live lease."""
        return await self.view(lambda view: view.lease_of(ticket_id))

    async def change(self, work: Callable[[Transaction], Done], replan: bool = True, shown: bool = True) -> Done:
        """Do `work` in a transaction, decide anew within it, and tell the watchers if it is `shown` to them.

        Raises:
            StoreUnavailable: the database is down or full.
            NoTurn: it is so slow that this was not begun.
        """

        def run() -> tuple[Done, Transaction]:
            with self._store.transaction() as change:
                done = work(change)
                if replan and self.hub_answers:  # a grant that no hub can start would only use up its hours
                    self.decide(change)
                return done, change

        async with self._turns.taken():
            done, made = await asyncio.get_running_loop().run_in_executor(self._thread, run)
        if shown:
            self.changes.announce(made.about)
        self.granted([each for each in made.granted if not (isinstance(done, Holds) and each.id == done.ticket.id)])
        return done

    async def view(self, read: Callable[[Transaction], Done]) -> Done:
        """Read in a transaction."""

        def run() -> Done:
            with self._store.view() as view:
                return read(view)

        return await asyncio.to_thread(run)

    def decide(self, change: Transaction, first: str = "") -> None:
        """Plan anew with what is known now, the ticket `first` before all others, and write what the plan grants."""
        now = self.clock()
        end_overdue(change, self.found, now)
        world = self.occurrences.release_unused(change, self.world(change), now)
        decided = self._planner.plan(world, now, first)
        apply_plan(change, decided, world.catalogue, now)
        self.looks_at = self.occurrences.look_by(look_by(change.acts(), decided.looks_at, now), now)
        self._looked_at = now

    def world(self, change: Transaction) -> World:
        """Everything the planner decides on, as the store has it."""
        inventory, catalogue, _ = self._in_force.of(self.found, change.acts(), self.clock())
        known = (change.open_tickets(), change.live_leases(), change.slots(), self._looked_at)
        ended = change.ended_runs()
        usage, spent = self._fair_share.usage(ended, catalogue), self._spending.spent(ended, catalogue)
        kept = self.occurrences.of(change.reservations(), self.clock(), catalogue.queue.turnover)
        return World(inventory, catalogue, *known, usage, kept, spent, self.verdicts())

    def likely_start(self, view: Transaction, ticket: Ticket, world: World) -> datetime | None:
        """When a ticket in line likely starts; None where that is too far ahead to tell, and for other tickets."""
        return self._likely.of(ticket, world, view.ended_runs(), self.clock())

    def known_likely_start(self, ticket: Ticket) -> datetime | None:
        """The same where it was worked out within the last seconds, which takes no time."""
        return self._likely.known(ticket, self.clock())

    async def likely_starts(self, flavours: Collection[str] | None = None) -> dict[str, datetime]:
        """When tickets in line for some flavours, or for any, likely start, as `likely_start` tells of each.

        It may take seconds, and is worked out beside all transactions.
        """
        world, ended = await self.view(lambda view: (self.world(view), view.ended_runs()))
        wanted = {ticket.flavour for ticket in world.line()} if flavours is None else flavours
        starts = dict[str, datetime]()
        for flavour in wanted:
            starts |= await asyncio.to_thread(self._likely.all_of, flavour, world, ended, self.clock())
        return starts

    def finish(
        self,
        change: Transaction,
        ticket: Ticket,
        event: Event,
        reason: EndReason | None,
        actor: str,
        used_until: datetime | None = None,
    ) -> Ticket:
        """Let `event` take the lease of a ticket of which nothing runs away; after `used_until` nothing is booked."""
        now = self.clock()
        change.end_lease(ticket.id, used_until or now)
        change.drop_slot(ticket.id)
        if event is Event.UNCLAIMED:
            tell_unclaimed(change, ticket, self.catalogue.queue, now)
        return self.save(change, ticket.after(event, now, reason), actor, reason.value if reason else event.value)

    def put_back(self, change: Transaction, ticket: Ticket, step: Requeue, actor: str) -> Ticket:
        """Put a ticket whose devices were taken back or lost in line again for the time that it still lacks."""
        now = self.clock()
        change.end_lease(ticket.id, step.used_until or now)
        if step.used_until is not None:
            event, why = ("unplaced", "its machine has no room") if step.unplaced else ("lost", "with its machine")
            note(change, now, actor, event, ticket.id, f"{why}, {step.left} left")
        return self.save(change, back_in_line(change, ticket, step, self.catalogue, now), actor, "requeued")

    def answer(self, change: Transaction, asked: SpawnAsked) -> Holds | Waits | Refusal:
        """The answer to `ask`, as a part of a transaction."""
        match answer(asked, change, self.world(change), self.clock()):
            case Files(ticket=ticket):
                self.hub_answers = True  # it is the hub that asks
                return self.file(change, ticket)
            case Holds(ticket=ticket, lease=lease) if lease.absent_since is not None:
                back = replace(lease, absent_since=None)  # its server starts anew now: it is not lost
                change.save_lease(back)
                return Holds(ticket, back)
            case found:
                return found

    def file(self, change: Transaction, ticket: Ticket, first: bool = False) -> Holds | Waits:
        """Add a ticket and plan with it; one that comes `first` in place of another may start before all others."""
        self.save(change, ticket, ticket.user, "filed")
        self.decide(change, ticket.id if first else "")
        filed, lease = self.get(change, ticket.id), change.lease_of(ticket.id)
        return Holds(filed, lease) if lease else Waits(filed)

    def get(self, change: Transaction, ticket_id: str) -> Ticket:
        """A ticket by its id.

        Raises:
            NoSuchTicket: no ticket has it.
        """
        ticket = change.ticket(ticket_id)
        if ticket is None:
            raise NoSuchTicket(f"no ticket has the id {ticket_id}")
        return ticket

    def save(self, change: Transaction, ticket: Ticket, actor: str, event: str) -> Ticket:
        """Write a ticket's new state, with an audit row."""
        change.save_ticket(ticket)
        note(change, self.clock(), actor, event, ticket.id, f"{ticket.state.value}, attempt {ticket.attempt}")
        return ticket
