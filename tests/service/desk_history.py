"""Histories of a real desk over a real store: people ask, use, extend and stop; machines fail; charges change.

What the reconciler writes down is done here by the same calls, with the time as the history says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from hypothesis import strategies as st
from labpool.api_models import SpawnAsked
from labpool.domain.budgets import Account, Budget, Per, costs
from labpool.domain.catalogue import Catalogue
from labpool.domain.ends import End, NoteAbsent, Requeue, TakeBack, due
from labpool.domain.inventory import Condition
from labpool.domain.leases import Lease
from labpool.domain.ledger import CHARGED, MOVES, Kind
from labpool.domain.ledger import Account as Side
from labpool.domain.planned_schedule import schedule_of
from labpool.domain.tickets import Event, State, Ticket
from labpool.service.changes import Changes
from labpool.service.desk import Desk
from labpool.service.extending import extend_lease
from labpool.service.problems import Rejected
from labpool.service.setting import Setting
from labpool.store import Part, Store, Transaction, connect, migrate
from labpool.store.models import LeaseRow, LedgerRow
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.domain.lab import MINUTE, NINE, catalogue, inventory

STEPS = ("wait", "wait", "ask", "ask", "ask", "use", "use", "extend", "stop", "die", "fail", "serve", "charge")
NODES = {"n1": 2, "n2": 2}
Step = tuple[str, int, int]
Works = Counter[Account]


def histories(length: int) -> st.SearchStrategy[list[Step]]:
    """Lists of steps: what happens, and two numbers that choose to whom and how much."""
    step = st.tuples(st.sampled_from(STEPS), st.integers(0, 11), st.integers(0, 11))
    return st.lists(step, min_size=length, max_size=length)


def rules(charge: float) -> Catalogue:
    """Two projects that lend each other all they have, one with a budget a day and one a week."""
    found = catalogue({"vision": (2, 2), "speech": (2, 2)})
    zone = timezone(timedelta(hours=11))  # midnight is four hours after the beginning
    budgets = {"vision": Budget(30, Per.DAY, zone), "speech": Budget(200, Per.WEEK, zone)}
    projects = {name: replace(each, budget=budgets[name]) for name, each in found.projects.items()}
    return replace(found, projects=projects, flavours={"gpu": replace(found.flavours["gpu"], charge=charge)})


class DeskHistory:
    """One desk, and what happens at it."""

    def __init__(self, folder: Path) -> None:
        self.engine: Engine = connect(f"sqlite:///{folder}/pool.sqlite")
        migrate(self.engine)
        self.now, self.charge = NINE, 1.0
        self.failed: dict[str, datetime] = {}
        self.dead: set[str] = set()
        self.desk = Desk(Store(self.engine), Setting(inventory(NODES), rules(1.0)), lambda: self.now, Changes())
        self.desk.hub_answers = True

    async def run(self, steps: list[Step]) -> None:
        """Let `steps` happen one after another; books and planner agree after each."""
        for kind, one, other in steps:
            await getattr(self, f"_{kind}")(one, other)
            await self.desk.change(self._settle)
            self.check(await self.desk.view(lambda view: planners_accounts(self.desk, view)))

    def check(self, planned: Works) -> None:
        """Compare the ledger with what the planner has booked, and with the leases."""
        check_books(self.engine, self.desk, planned)

    async def _wait(self, one: int, other: int) -> None:
        self.now += (one * 20 + other) * MINUTE + timedelta(microseconds=one)

    async def _ask(self, one: int, other: int) -> None:
        who = {"user": f"user{one % 4}", "name": f"server{other % 3}", "project": ("vision", "speech")[other % 2]}
        asked = SpawnAsked(**who, profile=f"gpu-{1 + one % 2}", hours=(0.5, 1, 2.25, 5)[other % 4])
        await self.desk.ask(asked)

    async def _use(self, one: int, _: int) -> None:
        if held := await self._pick(one, State.GRANTED):
            await self.desk.claim(held.id)

    async def _extend(self, one: int, other: int) -> None:
        if held := await self._pick(one, State.RUNNING):
            with suppress(Rejected):
                await extend_lease(self.desk, held.id, (1 + other) * 15 * MINUTE, held.user)

    async def _stop(self, one: int, _: int) -> None:
        if held := await self._pick(one, State.GRANTED, State.RUNNING, State.RECLAIMING):
            await self.desk.stopped(held.id, held.user)

    async def _die(self, one: int, _: int) -> None:
        if held := await self._pick(one, State.RUNNING):
            self.dead.add(held.id)

    async def _fail(self, one: int, _: int) -> None:
        self.failed[("n1", "n2")[one % 2]] = self.now
        self._set()

    async def _serve(self, one: int, other: int) -> None:
        self.failed = {}
        self._set()

    async def _charge(self, one: int, other: int) -> None:
        self.charge = (1.0, 0.5, 0.333, 3.0)[one % 4]
        self._set()

    def _set(self) -> None:
        nodes = inventory(NODES, **dict.fromkeys(self.failed, Condition.FAILED))
        since = tuple(replace(node, since=self.failed.get(node.name)) for node in nodes.nodes)
        self.desk.found = Setting(replace(nodes, nodes=since), rules(self.charge))

    async def _pick(self, one: int, *states: State) -> Ticket | None:
        tickets = await self.desk.view(lambda view: [t for t in view.open_tickets() if t.state in states])
        return tickets[one % len(tickets)] if tickets else None

    def _settle(self, change: Transaction) -> None:
        """What is due on each lease, its server being there unless it died or its hours are over."""
        for lease in change.live_leases():
            ticket = self.desk.get(change, lease.ticket)
            alive = ticket.id not in self.dead and self.now < lease.ends - MINUTE
            lost_with = self.desk.inventory.lost_node(lease.devices)
            self._write(
                change, ticket, lease, due(lease, ticket, self.desk.catalogue.queue, self.now, alive, lost_with)
            )

    def _write(self, change: Transaction, ticket: Ticket, lease: Lease, step: object) -> None:
        match step:
            case End(reason=reason, used_until=until):
                self.desk.finish(change, ticket, Event.END, reason, Part.POOL, until)
            case TakeBack():
                self.desk.finish(change, ticket, Event.UNCLAIMED, None, Part.POOL)
            case Requeue():
                self.desk.put_back(change, ticket, step, Part.POOL)
            case NoteAbsent():
                change.save_lease(replace(lease, absent_since=self.now))


def planners_accounts(desk: Desk, view: Transaction) -> Works:
    """What the planner has booked of each project's budget: ended runs and leases, planned places left aside."""
    world = desk.world(view)
    bookings, found = schedule_of(world, desk.clock()).payments.bookings, Works(world.spent.of)
    for lease in world.leases:
        kind = "lease" if lease in world.counted else "lost"
        found.update(dict(bookings[kind, lease.ticket].costs))
    return without_nothing(found)


def without_nothing(works: Works) -> Works:
    return Works({account: work for account, work in works.items() if work})


def check_books(engine: Engine, desk: Desk, planned: Works) -> None:
    """Compare the ledger in a database with what the planner has booked, and with the leases."""
    with Session(engine) as session:
        rows = session.scalars(select(LedgerRow)).all()
        live = set(session.scalars(select(LeaseRow.id).where(LeaseRow.ended_at.is_(None))))
    assert _ledgers_accounts(desk, rows) == planned
    held: Counter[int] = Counter()
    for row in rows:
        source, target = MOVES[Kind(row.kind)]
        held[row.lease] += row.amount * ((target is Side.HELD) - (source is Side.HELD))
    assert {lease for lease, amount in held.items() if amount} <= live
    assert min(held.values(), default=0) >= 0


def _ledgers_accounts(desk: Desk, rows: Sequence[LedgerRow]) -> Works:
    budgets, found = desk.catalogue.budgets(), Works()
    for row in rows:
        for cost in costs(row.project, budgets[row.project], row.rate, row.start, row.end):
            found[cost.account] += CHARGED[Kind(row.kind)] * cost.work
    return without_nothing(found)
