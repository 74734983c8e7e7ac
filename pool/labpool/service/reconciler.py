"""Comparing leases with what runs, and doing what is due: the pool's own activity, apart from what it is asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime

from labpool.domain.ends import (
    Action,
    End,
    Kill,
    NoteAbsent,
    NotePresent,
    Nothing,
    Requeue,
    Start,
    Stop,
    TakeBack,
    due,
    notice_before_end,
    stop_at,
)
from labpool.domain.inventory import Inventory
from labpool.domain.leases import Lease
from labpool.domain.tickets import Event, State, Ticket
from labpool.engines import Engine, Trespasser
from labpool.hub_api import HubClient, HubError
from labpool.service.clearing_away import ClearingAway
from labpool.service.desk import Desk, NotNow
from labpool.service.ending import reason_of_giving_back, tell_of_end
from labpool.service.in_line import tidy_line
from labpool.service.pace import SOON, Held, all_held, breath, seconds_to_next
from labpool.service.setting import Setting
from labpool.service.sightings import Sighting, still_unlisted
from labpool.service.starter import Starter
from labpool.service.stopping import Stopping
from labpool.service.trespassing import note_new
from labpool.service.uncovered import end_uncovered, end_unless_changed
from labpool.service.unplaced import give_up_unplaced
from labpool.store import Part, Transaction

_LOG = logging.getLogger(__name__)

_PUNCTUAL = 0.9
"""Share of the interval after which the next look begins, so that it has also ended when the interval is over."""


class Reconciler:
    """Looks round at intervals and whenever it is told to.

    Args:
        desk: Where tickets and leases are changed.
        engine: Who provides the devices and knows the processes.
        hub: Who starts and stops servers.
        rules: What the lab decided, for the devices there are; asked at each look, so a changed pool.yaml counts.
        interval: Longest time between two looks, in seconds.
    """

    def __init__(
        self, desk: Desk, engine: Engine, hub: HubClient, rules: Callable[[Inventory], Setting], interval: float
    ) -> None:
        self._rules = rules
        self._desk, self._engine, self._hub = desk, engine, hub
        self._interval, self.capabilities = interval, engine.capabilities
        self._starter = Starter(hub)
        self._clearing_away, self._stopping = ClearingAway(desk, engine, hub), Stopping(desk, engine)
        self._wake = asyncio.Event()
        engine.changed, desk.granted = self.look_soon, self._start_at_once
        self._one_look = asyncio.Lock()
        self.trespassers: frozenset[Trespasser] = frozenset()
        self.sighting = Sighting(desk.clock())

    @property
    def trouble(self) -> str:
        """What keeps the engine from seeing its devices, in words; empty where nothing does."""
        return self._engine.trouble or ""

    def look_soon(self) -> None:
        """Look round without waiting for the interval to pass."""
        self._wake.set()

    def look_after_start(self) -> None:
        """Look round when a server that starts now should be up; a look before that would only take the hub's time."""
        asyncio.get_running_loop().call_later(SOON, self._wake.set)

    async def run(self) -> None:
        """Look round until cancelled. A look that fails is logged and tried again: the pool goes on answering."""
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                pause = await self.look()
            except Exception:
                _LOG.exception("a look round failed; trying again")
                pause = SOON
            rest = breath(took := clock() - began)
            await asyncio.sleep(rest)
            await self._woken(min(pause, _PUNCTUAL * self._interval - took) - rest)
            self._wake.clear()

    async def _woken(self, within: float) -> None:
        """Wait so many seconds, or until something is due. `asyncio.wait_for` may lose a cancellation just then."""
        waiting = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({waiting}, timeout=max(within, 0.0))
        finally:
            waiting.cancel()

    async def begin(self) -> None:
        """Before anything is granted: see the devices and rules of now, and end what runs without a lease."""
        await self._see_devices([lease for _, lease in await self._desk.view(all_held)])
        await end_uncovered(self._desk, self._engine, await self._engine.processes())

    async def look(self) -> float:
        """Compare, do what is due, decide anew; give the seconds until the next look is due."""
        async with self._one_look:
            return await self._look()

    async def _look(self) -> float:
        held = await self._desk.view(all_held)
        leases = [lease for _, lease in held]
        await self._see_devices(leases)
        await self._see(held)
        await self._apart(self._note_trespassers(leases))
        leftovers = set(self.sighting.processes) - {ticket.id for ticket, _ in held}
        await self._apart(end_uncovered(self._desk, self._engine, leftovers))
        given_up = await give_up_unplaced(self._desk, self._engine, held)
        if given_up:
            # what has no room must not be granted to the next one
            await self._see_devices([lease for lease in leases if lease.ticket not in given_up])
        steps = [(it, step) for it in held if (step := given_up.get(it[0].id) or await self._carry_out(*it))]
        await end_unless_changed(self._desk, self._engine, (it for it, step in steps if isinstance(step, Kill)))
        to_record = [(it, step) for it, step in steps if not isinstance(step, Kill)]
        await self._desk.change(lambda change: self._record_all(change, to_record))
        for (ticket, _), action in to_record:
            await self._clearing_away.after(action, ticket, self.sighting)
        if self.sighting.servers is None:
            return min(SOON, self._interval)  # nothing is granted and nothing counts as lost before the hub answers
        held, rules = await self._desk.view(all_held), self._desk.catalogue.queue
        return seconds_to_next(held, self._desk.looks_at, rules, self._desk.clock(), self._interval)

    async def _apart(self, work: Coroutine[None, None, None]) -> None:
        """Do what must not keep leases from ending where it fails: somebody's odd process, say."""
        try:
            await work
        except Exception:
            _LOG.exception("a part of a look round failed; going on without it")

    async def clear_leftovers(self, ticket: Ticket) -> None:
        """End what still runs of a lease that is about to be applied again: nobody can reach it any more."""
        if self.sighting.runs(ticket.id) or ticket.id in await self._engine.processes():
            _LOG.warning("ending what an earlier start left running", extra={"ticket": ticket.id})
            await self._engine.kill(ticket.id)

    async def stopped(self, ticket_id: str, actor: str, granted_at: datetime | None = None) -> None:
        """End the lease of a server that a person stopped, once nothing that it started is left on its devices.

        One that was granted at another time than `granted_at` is a later one, and stays.
        """
        lease = await self._desk.find_lease(ticket_id)
        if lease is not None and granted_at not in (None, lease.starts):
            return
        if await self._engine.kill(ticket_id):
            await self._desk.stopping(ticket_id, actor)
        else:
            await self._desk.stopped(ticket_id, actor)
        self.look_soon()

    async def switch(self, ticket: Ticket) -> None:
        """Stop the other server of a granted ticket's name; the ticket's own is started at the next look.

        Raises:
            NotNow: the ticket isn't granted, no other server runs under its name, or the hub doesn't answer.
        """
        if ticket.state is not State.GRANTED or not self.sighting.name_taken(ticket):
            raise NotNow(f"This ticket is {ticket.state.value} and no other server stands in its way.")
        await self._stop_at_hub(ticket)
        self.look_soon()

    async def give_back(self, ticket: Ticket, actor: str) -> None:
        """Stop a ticket's server and end its lease as soon as nothing of it runs.

        Raises:
            NotNow: the ticket holds nothing.
        """
        if not await self._desk.stopping(ticket.id, actor, reason_of_giving_back(ticket, actor)):
            raise NotNow("This ticket holds no GPU to give back (any more).")
        if self.sighting.listed(ticket):
            await self._clearing_away.tell_hub(ticket)
        await self._stopping.ask(ticket.id)
        self.look_soon()

    async def _stop_at_hub(self, ticket: Ticket) -> None:
        try:
            await self._hub.stop(ticket.user, ticket.name)
        except HubError as error:
            raise NotNow(f"The hub could not stop the server: {error}. Try again in a minute.") from error

    async def _see_devices(self, leases: list[Lease]) -> None:
        inventory = await self._engine.inventory(leases)
        self._desk.found = self._rules(inventory)

    async def _see(self, held: list[Held]) -> None:
        tickets = {ticket.id: ticket for ticket, _ in held}
        try:
            servers = await self._hub.servers()
        except HubError as error:
            _LOG.warning("the hub can't be asked which servers run: %s", error)
            servers = None
        processes = await self._engine.processes()  # after the hub: what it says is up has been started by now
        self._desk.hub_answers = servers is not None
        seen = Sighting(self._desk.clock(), processes, servers, self._starter.under_way(servers))
        self.sighting = replace(seen, unlisted=still_unlisted(self.sighting, seen, tickets))

    async def _carry_out(self, ticket: Ticket, lease: Lease) -> Action | None:
        """Do what is due to the ticket's server; give back what is left: to end it, or to write something down."""
        now, rules = self._desk.clock(), self._desk.catalogue.queue
        lost_with = self._desk.inventory.lost_node(lease.devices)
        by_processes = lost_with is not None or now >= stop_at(lease, rules)
        alive = self.sighting.alive(ticket, lease, by_processes)
        action = due(lease, ticket, rules, now, alive, lost_with)
        match action:
            case Stop():
                await self._stopping.begin(ticket, lease)
            case Nothing() if lease.stopping_since is not None:
                await self._stopping.remind(ticket.id)
                return action
            case Kill():
                _LOG.warning("ending a server that did not stop in time", extra={"ticket": ticket.id})
                return action
            case Start() | TakeBack() | Requeue() | End() if self.sighting.runs(ticket.id):
                self.look_soon()
                return Kill()
            case Start() if self.sighting.in_the_way(ticket, self._desk.catalogue.limits):
                return action
            case Start():
                self._start(ticket)
            case _:
                return action
        return None

    def _start(self, ticket: Ticket, looked: bool = True) -> None:
        if self.sighting.servers is None:
            return
        self._starter.start(ticket, self._desk, self.look_soon, looked)
        self.sighting = replace(self.sighting, starting=self._starter.under_way())  # it counts for the user's next one

    def _start_at_once(self, granted: Sequence[Ticket]) -> None:
        """Start what was just granted before a look: in a large lab one takes long. What this can't is left to it."""
        for ticket in granted:
            clear = not self.sighting.of_interest(ticket, self._desk.catalogue.limits)
            if clear and not self._desk.changes.askers[ticket.id]:
                self._start(ticket, looked=False)
        if granted:
            self.look_after_start()

    def _record(self, change: Transaction, seen: Held, action: Action) -> None:
        """Write down one step on a ticket, unless it moved on while the look was under way."""
        ticket, lease = change.ticket(seen[0].id), change.lease_of(seen[0].id)
        if ticket is None or lease is None or ticket.state is not seen[0].state:
            return
        match action:
            case Requeue(unplaced=True) if lease.starts == seen[1].starts:  # its pod is ended already
                self._desk.put_back(change, ticket, action, Part.POOL)
            case End() | TakeBack() | Requeue() | NoteAbsent() if lease != seen[1]:
                self.look_soon()  # its server was started again, say
            case End():
                self._desk.finish(change, ticket, Event.END, action.reason, Part.POOL, action.used_until)
            case TakeBack():
                self._desk.finish(change, ticket, Event.UNCLAIMED, None, Part.POOL)
            case Requeue():
                self._desk.put_back(change, ticket, action, Part.POOL)
            case NoteAbsent():
                self._note(change, ticket, replace(lease, absent_since=self._desk.clock()))
            case NotePresent():
                self._note(change, ticket, replace(lease, absent_since=None))
            case _:
                self._note(change, ticket, lease)

    def _note(self, change: Transaction, ticket: Ticket, lease: Lease) -> None:
        now = self._desk.clock()
        usable = self.sighting.ready(ticket) or self.sighting.in_the_way(ticket, self._desk.catalogue.limits)
        change.save_lease(replace(lease, ready_at=lease.ready_at or (now if usable else None)))
        before_end = notice_before_end(lease, self._desk.catalogue.queue, now)
        if before_end is not None:
            tell_of_end(change, ticket, lease, before_end, now)

    def _record_all(self, change: Transaction, actions: Sequence[tuple[Held, Action]]) -> None:
        for seen, action in actions:
            self._record(change, seen, action)
        tidy_line(self._desk, change)

    async def _note_trespassers(self, leases: list[Lease]) -> None:
        self.trespassers = await note_new(self._desk, await self._engine.trespassers(leases), self.trespassers)
