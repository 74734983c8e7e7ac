"""What may happen to a pool: users and admins ask for all they may, machines, processes and the hub fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from hypothesis import strategies as st
from labpool.api_models import Confirmation, DrainAsked, FenceAsked, OverrideAsked, ReservationAsked, SpawnAsked
from labpool.domain.inventory import Condition
from labpool.domain.plans import BreakCause
from labpool.domain.reasons import Refusal
from labpool.domain.sooner import sooner
from labpool.domain.tickets import HOLDING, OPEN, State, Ticket
from labpool.domain.withdrawals import Act
from labpool.hub_signin import SignedIn
from labpool.service.access import ADMIN
from labpool.service.asking import Holds, Waits
from labpool.service.by_admin import let_start
from labpool.service.desk import NotNow
from labpool.service.extending import extend_lease
from labpool.service.in_line import leave_line, say_ready
from labpool.service.instead import take_instead
from labpool.service.overriding import end_override, override
from labpool.service.problems import Rejected
from labpool.service.reordering import step_behind
from labpool.service.reserving import cancel, reserve
from labpool.service.starting_again import wish_to_start_again
from labpool.service.withdrawing import drain, fence, undrain
from sqlalchemy import Engine

from tests.domain.lab import MINUTE
from tests.domain.rules import DEVICES, NODES, must
from tests.service.pool_history import SECOND, Killed, PoolHistory, Step, counted, emptied

_DAILY = 6 * ("ask", "rush") + 4 * ("use", "wait") + 2 * ("extend", "reorder", "killed")
PEACEFUL = (*_DAILY, *("stop", "cancel", "ready", "instead", "start_no_more", "reserve", "restart"))
TROUBLE = (
    *(*4 * ("grant_first",), "end_by_admin", "drain", "undrain", "fence", "fence", "override", "end_override"),
    *("reserve_anyhow", "give_up_reservation", "ask_lower", "die", "fail_node", "return_node", "lose_device"),
    *("return_device", "overrun", "settle", "hub_down", "hub_up", "outage"),
)
ROOT = SignedIn("root", frozenset(), True, frozenset({ADMIN}))
_KILLED = ("ask", "ask", "stop", "cancel", "use", "extend", "reserve")
_RULES = ("user_gpus", "nominal", "borrow", "lend", "budget")
_PROJECTS = ("vision", "speech")
Found = TypeVar("Found")
Asks = Callable[[Confirmation | None], Awaitable[object]]


def histories(steps: tuple[str, ...], length: int) -> st.SearchStrategy[list[Step]]:
    """Lists of `length` steps: what happens, and two numbers that choose to whom and how much."""
    step = st.tuples(st.sampled_from(steps), st.integers(0, 11), st.integers(0, 11))
    return st.lists(step, min_size=length, max_size=length)


def play(engine: Engine, steps: list[Step]) -> Happenings:
    """Let `steps` happen to a new pool, and all parts answer again at the end."""
    emptied(engine)
    with counted():
        history = Happenings(engine)
        asyncio.run(history.run(steps))
    return history


class Happenings(PoolHistory):
    """A pool, and what may happen to it."""

    async def run(self, steps: list[Step]) -> None:
        """Let `steps` happen one after another, a second apart."""
        try:
            await self.begin()
            for kind, one, other in steps:
                self.now += SECOND
                await self._happen(kind, one, other)
                await self.look()
            await self.end()
        finally:
            self.judge()  # what the store said tells more than what came of it

    async def _happen(self, kind: str, one: int, other: int) -> None:
        with suppress(NotNow, Rejected):  # that it can't be done now, or that it does harm, is an answer
            await getattr(self, f"_{kind}")(one, other)

    async def _wait(self, one: int, other: int) -> None:
        await self.wait((one * 6 + other) * MINUTE)

    async def _ask(self, one: int, other: int, priority: str = "interactive") -> None:
        if not self.hub.answers:
            return
        who = {"user": f"user{one % 4}", "name": f"server{(one + other) % 4}", "project": _PROJECTS[other % 2]}
        what = {"profile": f"big-{(1, 2, 2, 3)[one // 2 % 4]}-{priority}", "hours": (0.5, 2, 4, 5)[other % 4]}
        before = await self._tickets(*OPEN)
        answered = await self.hub.spawn(SpawnAsked(**who, **what))
        after = {ticket.id: ticket for ticket in await self._tickets(*OPEN)}
        match answered:
            case Refusal():
                must(len(after) == len(before), "7: who was refused has a ticket")
            case Waits(ticket=ticket):
                must(after[ticket.id].state is State.QUEUED, "7: who is told to wait is not in line")
            case Holds(ticket=ticket):
                must(after[ticket.id].state in HOLDING, "7: who is told to start holds nothing")

    async def _rush(self, one: int, other: int) -> None:
        for number in range(3):
            await self._ask(one + number, other + 2 * number)

    async def _ask_lower(self, one: int, other: int) -> None:
        """Somebody asks in a lower class, whose promises a higher one may take."""
        self.told.causes.add(BreakCause.HIGHER_CLASS)
        await self._ask(one, other, ("batch", "scavenger")[one % 2])

    async def _use(self, one: int, _: int) -> None:
        started = [ticket for ticket in await self._tickets(State.GRANTED) if ticket.id in self.room.running]
        if ticket := pick(started, one):
            await self.desk.claim(ticket.id)

    async def _extend(self, one: int, other: int) -> None:
        if ticket := pick(await self._tickets(State.RUNNING), one):
            await extend_lease(self.desk, ticket.id, (1 + other) * 15 * MINUTE, ticket.user)

    async def _stop(self, one: int, _: int) -> None:
        if (server := pick(self.hub.running(), one)) and self.hub.answers:
            await self.hub.stop(*server)

    async def _cancel(self, one: int, _: int) -> None:
        if ticket := pick(await self._tickets(State.QUEUED), one):
            await leave_line(self.desk, ticket.id, ticket.user)

    async def _ready(self, one: int, _: int) -> None:
        if ticket := pick([each for each in await self._tickets(State.QUEUED) if not each.ready], one):
            await say_ready(self.desk, ticket.id, ticket.user)

    async def _reorder(self, one: int, other: int) -> None:
        waiting = await self._tickets(State.QUEUED)
        if ticket := pick(waiting, one):
            behind = pick([each for each in waiting if each.user == ticket.user and each is not ticket], other)
            if behind:
                await step_behind(self.desk, ticket.id, behind.id, ticket.user)

    async def _instead(self, one: int, other: int) -> None:
        if ticket := pick(await self._tickets(State.QUEUED), one):
            offers = await self.desk.view(lambda view: sooner(ticket, self.desk.world(view), self.now))
            if offer := pick(list(offers), other):
                await take_instead(self.desk, ticket.id, offer.profile.name, offer.duration, ticket.user)

    async def _start_no_more(self, one: int, _: int) -> None:
        if ticket := pick(await self._tickets(*OPEN), one):
            await wish_to_start_again(self.desk, ticket.id, not ticket.starts_again, ticket.user)

    async def _reserve(self, one: int, other: int, confirm: Confirmation | None = None) -> None:
        """An admin reserves where that breaks nothing, or confirms what it breaks."""
        start = (self.now + one * 20 * MINUTE).replace(tzinfo=None)
        when = {"start": start, "hours": 1 + other % 3, "timezone": "UTC", "confirm": confirm}
        if one % 4 == 3:
            asked = ReservationAsked(project=None, node=NODES[other % 2], **when)
        else:
            what = {"project": _PROJECTS[other % 2], "flavour": "big", "devices": 1 + one % 2}
            asked = ReservationAsked(**what, node=("", "", *NODES)[one % 4], **when)
        await reserve(self.desk, asked, ROOT)

    async def _restart(self, one: int, other: int) -> None:
        """The pool ends and starts again at once; the new one finds nothing to decide that the old one did not."""
        await self.look()
        before = self.told.world
        self.start()
        await self.begin()
        await self.look()
        new = {lease.ticket for lease in self.told.world.leases} - {lease.ticket for lease in before.leases}
        must(not new, f"5: a pool that was started again grants {new}")

    async def _killed(self, one: int, other: int) -> None:
        """The pool is killed in the middle of a request, just before or after what it writes is kept."""
        self.store.killed = ("before", "after")[other % 2]
        with suppress(Killed):
            await self._happen(_KILLED[one % len(_KILLED)], other, one)
        self.start()
        await self.begin()

    async def _outage(self, one: int, other: int) -> None:
        """The pool is away for a while."""
        self.told.causes.add(BreakCause.POOL_OUTAGE)
        self.now += (one * 12 + other) * MINUTE
        self.start()
        await self.begin()

    async def _grant_first(self, one: int, other: int) -> None:
        self.told.causes.add(BreakCause.ADMIN_CHANGE)
        for ticket in await self._tickets(State.QUEUED):
            with suppress(NotNow, Rejected):  # the first one that could start if nobody else waited
                await self._confirmed(lambda yes, it=ticket.id: let_start(self.desk, it, yes, "a talk", ROOT))
                break

    async def _end_by_admin(self, one: int, _: int) -> None:
        ticket = pick(await self._tickets(*OPEN), one)
        if ticket is not None and ticket.state is State.QUEUED:
            await leave_line(self.desk, ticket.id, ROOT.name)
        elif ticket is not None:
            await self.reconciler.give_back(ticket, ROOT.name)

    async def _drain(self, one: int, other: int) -> None:
        """A machine or a GPU takes nothing new, for a while or until an admin says so."""
        self.told.causes |= {BreakCause.NODE_UNAVAILABLE, BreakCause.DEVICE_UNAVAILABLE}
        what = {"node": NODES[one % 2]} if one % 3 else {"device": DEVICES[other % len(DEVICES)].id}
        until = self.now + other * 20 * MINUTE if other % 2 else None
        await self._confirmed(
            lambda confirm: drain(self.desk, DrainAsked(**what, why="fans", until=until, confirm=confirm), ROOT)
        )

    async def _undrain(self, one: int, _: int) -> None:
        acts = await self.desk.view(lambda view: view.acts())
        if drained := pick([each for each in acts.withdrawals if each.act is Act.DRAIN], one):
            await undrain(self.desk, drained.id, ROOT)

    async def _fence(self, one: int, _: int) -> None:
        """Somebody saw that a silent machine is off."""
        self.told.causes.add(BreakCause.NODE_UNAVAILABLE)
        silent = [node.name for node in self.room.machines.nodes.values() if node.condition is Condition.SILENT]
        if node := pick(silent, one):
            await fence(self.desk, FenceAsked(node=node, why="unplugged"), ROOT)

    async def _override(self, one: int, other: int) -> None:
        self.told.causes.add(BreakCause.ADMIN_CHANGE)
        rule = _RULES[one % len(_RULES)]
        name = f"user{other % 3}" if rule == "user_gpus" else _PROJECTS[other % 2]
        flavour = "big" if rule in {"nominal", "borrow", "lend"} else ""
        value = 3.0 * other if rule == "budget" else other % 4 + 1
        until = self.now + one * 30 * MINUTE if one > 5 else None
        asked = partial(OverrideAsked, rule=rule, name=name, flavour=flavour, value=value, why="exams", until=until)
        await self._confirmed(lambda confirm: override(self.desk, asked(confirm=confirm), ROOT))

    async def _end_override(self, one: int, _: int) -> None:
        self.told.causes.add(BreakCause.ADMIN_CHANGE)
        acts = await self.desk.view(lambda view: view.acts())
        if made := pick(list(acts.overrides), one):
            await self._confirmed(lambda said: end_override(self.desk, made.id, said.broken if said else 0, ROOT))

    async def _reserve_anyhow(self, one: int, other: int) -> None:
        self.told.causes.add(BreakCause.ADMIN_CHANGE)
        await self._confirmed(lambda confirm: self._reserve(one, other, confirm))

    async def _give_up_reservation(self, one: int, _: int) -> None:
        self.told.causes.add(BreakCause.ADMIN_CHANGE)
        if made := pick(list(await self.desk.view(lambda view: view.reservations())), one):
            await cancel(self.desk, made.id, ROOT)

    async def _die(self, one: int, _: int) -> None:
        if ticket := pick(sorted(self.room.running), one):
            del self.room.running[ticket]

    async def _fail_node(self, one: int, other: int) -> None:
        self.told.causes.add(BreakCause.NODE_UNAVAILABLE)
        self.room.fail(one, other, self.now)

    async def _return_node(self, one: int, _: int) -> None:
        self.room.machines.give_back(one, self.now)

    async def _lose_device(self, one: int, _: int) -> None:
        self.told.causes.add(BreakCause.DEVICE_UNAVAILABLE)
        self.room.broken.add(DEVICES[one % len(DEVICES)].id)

    async def _return_device(self, one: int, _: int) -> None:
        self.room.broken.discard(pick(sorted(self.room.broken), one) or "")

    async def _overrun(self, one: int, other: int) -> None:
        """A server ends for no signal."""
        self.told.causes.add(BreakCause.OVERRUN)
        if ticket := pick(sorted(self.room.running), one):
            self.room.stuck.add(ticket)

    async def _settle(self, one: int, _: int) -> None:
        self.room.stuck.discard(pick(sorted(self.room.stuck), one) or "")

    async def _hub_down(self, one: int, other: int) -> None:
        """The hub is away, and nothing is granted meanwhile."""
        self.told.causes.add(BreakCause.POOL_OUTAGE)
        self.hub.answers = False

    async def _hub_up(self, one: int, other: int) -> None:
        self.hub.answers = True

    async def _confirmed(self, act: Asks) -> None:
        """What an admin does who accepts all harm, once told how much it is."""
        try:
            await act(None)
        except Rejected as rejected:
            if rejected.refusal.confirm is None:
                raise
            await act(rejected.refusal.confirm)

    async def _tickets(self, *states: State) -> list[Ticket]:
        return await self.desk.view(lambda view: [each for each in view.open_tickets() if each.state in states])


def pick(found: list[Found], number: int) -> Found | None:
    """One of them; None where there is none."""
    return found[number % len(found)] if found else None
