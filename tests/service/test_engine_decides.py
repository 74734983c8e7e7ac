"""An engine with a queue of its own: the pool shows it who waits, carries out what it decides, and says what it can't.

The queue is a stand-in in memory for Kueue's, which tests/kubernetes has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from labpool.api_models import ReservationAsked, SpawnAsked
from labpool.domain.reasons import WaitReason
from labpool.domain.tickets import State
from labpool.domain.verdicts import Verdict, Verdicts
from labpool.domain.world import World
from labpool.hub_signin import SignedIn
from labpool.service import engine_decides
from labpool.service.asking import Holds, Waits
from labpool.service.by_admin import let_start
from labpool.service.desk import Desk
from labpool.service.engine_decides import PatientAsking
from labpool.service.line_keeper import LineKeeper
from labpool.service.problems import Rejected
from labpool.service.reordering import step_behind
from labpool.service.reserving import reserve

from tests.domain.counter import NOW, Counter
from tests.waits import eventually

SERVER = SpawnAsked(user="ada", project="vision", profile="gpu-1", hours=1)


class QueueInMemory:
    """Says what a test wants it to say, and remembers whom it was shown."""

    def __init__(self) -> None:
        self.verdicts = Verdicts()
        self.changed: Callable[[], None] = lambda: None
        self.shown: tuple[str, ...] = ()
        self.goes_on: asyncio.Event | None = None

    async def keep(self, look: Callable[[], Awaitable[World]]) -> None:
        self.shown = tuple(ticket.id for ticket in (await look()).line())
        if self.goes_on is not None:
            await self.goes_on.wait()

    def say(self, *verdicts: Verdict) -> None:
        self.verdicts = Verdicts({verdict.ticket: verdict for verdict in verdicts})
        self.changed()


class KeptDesk:
    """A desk whose engine has such a queue."""

    def __init__(self, folder: Path) -> None:
        self.desk: Desk = Counter(folder).desk
        self.desk.hub_answers = True
        self.queue, self.looks, self.granted = QueueInMemory(), 0, list[str]()
        self.desk.granted = lambda tickets: self.granted.extend(ticket.id for ticket in tickets)
        self.keeper = LineKeeper(self.desk, self.queue, self._look)

    def _look(self) -> None:
        self.looks += 1

    async def ask(self) -> str:
        found = await self.desk.ask(SERVER)
        assert isinstance(found, Waits)  # though devices are free: the engine decides
        return found.ticket.id


@pytest.fixture
def kept(tmp_path: Path) -> KeptDesk:
    return KeptDesk(tmp_path)


def test_who_waits_is_shown_and_starts_when_the_engine_says_so(kept: KeptDesk):
    async def story() -> None:
        ticket = await kept.ask()
        await kept.keeper.turn()
        assert kept.queue.shown == (ticket,)
        kept.queue.say(Verdict(ticket, node="n2"))
        await kept.keeper.turn()
        lease = await kept.desk.find_lease(ticket)
        assert lease is not None
        assert lease.devices == ("n2-0",)
        assert kept.granted == [ticket]
        await kept.keeper.turn()
        assert kept.granted == [ticket]  # nothing is new
        assert kept.looks == 0

    asyncio.run(story())


def test_what_the_engine_decides_is_carried_out_while_the_line_is_kept(kept: KeptDesk):
    async def story() -> None:
        ticket = await kept.ask()
        kept.queue.goes_on = asyncio.Event()
        keeping = asyncio.create_task(kept.keeper.run())
        await eventually(lambda: bool(kept.queue.shown), "the showing of the line")
        kept.queue.say(Verdict(ticket, node="n2"))
        while await kept.desk.find_lease(ticket) is None:
            await asyncio.sleep(0.01)
        keeping.cancel()

    asyncio.run(asyncio.wait_for(story(), 20))


def test_what_the_engine_wants_back_is_taken_back_with_a_notice(kept: KeptDesk):
    async def story() -> None:
        ticket = await kept.ask()
        kept.queue.say(Verdict(ticket, node="n1"))
        await kept.keeper.turn()
        await kept.desk.claim(ticket)
        kept.queue.say(Verdict(ticket, node="n1", goes_back=True))
        await kept.keeper.turn()
        found, lease = await kept.desk.find(ticket), await kept.desk.find_lease(ticket)
        assert found is not None
        assert found.state is State.RECLAIMING
        assert kept.looks == 1
        assert lease is not None
        assert lease.ends == NOW + kept.desk.catalogue.queue.grace
        told = await kept.desk.view(lambda view: view.last_notice_of(ticket))
        assert told is not None
        assert "The cluster takes these GPUs back" in told.message

    asyncio.run(story())


@pytest.mark.parametrize("used", [True, False])
def test_what_is_taken_back_is_known_as_used_or_not(kept: KeptDesk, used: bool):
    async def story() -> None:
        ticket = await kept.ask()
        kept.queue.say(Verdict(ticket, node="n1"))
        await kept.keeper.turn()
        if used:
            await kept.desk.claim(ticket)
        kept.queue.say(Verdict(ticket, node="n1", goes_back=True))
        await kept.keeper.turn()
        lease = await kept.desk.find_lease(ticket)
        assert lease is not None
        assert lease.taken_unused is not used

    asyncio.run(story())


def test_who_asks_is_answered_with_the_lease_if_the_engine_decides_within_a_moment(kept: KeptDesk):
    async def story() -> None:
        keeping = asyncio.create_task(kept.keeper.run())
        asking = asyncio.create_task(PatientAsking(kept.desk).ask(SERVER))
        await eventually(lambda: bool(kept.queue.shown), "the showing of the line")
        kept.queue.say(Verdict(kept.queue.shown[0], node="n1"))
        assert isinstance(await asking, Holds)
        keeping.cancel()

    asyncio.run(story())


def test_one_whose_turn_comes_while_its_spawner_waits_is_known_for_one(kept: KeptDesk):
    known = list[bool]()
    kept.desk.granted = lambda tickets: known.extend(kept.desk.changes.askers[each.id] > 0 for each in tickets)

    async def story() -> None:
        asking = asyncio.create_task(PatientAsking(kept.desk).ask(SERVER))
        await eventually(lambda: kept.desk.changes.askers.total() > 0, "the wait of its spawner")
        await kept.keeper.turn()
        kept.queue.say(Verdict(kept.queue.shown[0], node="n1"))
        await kept.keeper.turn()
        assert isinstance(await asking, Holds)

    asyncio.run(story())
    assert known == [True]
    assert kept.desk.changes.askers.total() == 0


def test_many_wait_for_an_engine_that_answers_and_one_at_a_time_for_one_that_does_not(
    kept: KeptDesk, monkeypatch: pytest.MonkeyPatch
):
    patient = PatientAsking(kept.desk)

    async def asked_at_once() -> int:
        """How many of ten wait for the engine's word, which then comes."""
        asking = [asyncio.create_task(patient.ask(SERVER.model_copy(update={"user": f"u{n}"}))) for n in range(10)]
        known = kept.desk.changes.askers
        await eventually(lambda: known.total() + sum(task.done() for task in asking) == len(asking), "ten who ask")
        waiting = known.total()
        await kept.keeper.turn()
        kept.queue.say(*(Verdict(each, why=WaitReason.DEVICES) for each in kept.queue.shown))
        await kept.keeper.turn()
        await asyncio.gather(*asking)
        kept.queue.say()
        return waiting

    async def story() -> None:
        monkeypatch.setattr(engine_decides, "_MOMENT", 60.0)
        many = await asked_at_once()
        assert many > 4
        monkeypatch.setattr(engine_decides, "_MOMENT", 0.0)
        await patient.ask(SERVER)  # no word in time
        monkeypatch.setattr(engine_decides, "_MOMENT", 60.0)
        assert await asked_at_once() == 1
        assert await asked_at_once() == many

    asyncio.run(story())


def test_engine_that_only_is_busy_with_others_is_waited_for_by_many(kept: KeptDesk, monkeypatch: pytest.MonkeyPatch):
    patient = PatientAsking(kept.desk)

    async def story() -> None:
        monkeypatch.setattr(engine_decides, "_MOMENT", 0.05)
        asking = asyncio.create_task(patient.ask(SERVER))
        await eventually(lambda: kept.desk.changes.askers.total() > 0, "the wait of its spawner")
        kept.queue.say(Verdict("another", place=1))
        await asking
        monkeypatch.setattr(engine_decides, "_MOMENT", 60.0)
        users = ("bert", "cleo")
        both = [asyncio.create_task(patient.ask(SERVER.model_copy(update={"user": user}))) for user in users]
        await eventually(lambda: kept.desk.changes.askers.total() == len(both), "the waits of both")
        for each in both:
            each.cancel()

    asyncio.run(asyncio.wait_for(story(), 20))


def test_who_asks_is_not_kept_waiting_once_the_engine_says_no(kept: KeptDesk):
    async def story() -> None:
        ticket = await kept.ask()
        kept.queue.say(Verdict(ticket, place=1, why=WaitReason.DEVICES))
        found = await PatientAsking(kept.desk).ask(SERVER)
        assert isinstance(found, Waits)
        assert found.ticket.id == ticket

    asyncio.run(story())


def test_what_only_a_planner_can_is_refused_with_what_helps(kept: KeptDesk):
    admin = SignedIn("root", frozenset(), True, frozenset({"custom:labpool:admin"}), "user")
    start = NOW.replace(tzinfo=None)
    wish = ReservationAsked(project="vision", flavour="gpu", devices=1, start=start, hours=1, timezone="UTC")

    async def story() -> None:
        ticket = await kept.ask()
        for refused in (
            lambda: reserve(kept.desk, wish, admin),
            lambda: let_start(kept.desk, ticket, None, "for a demo", admin),
            lambda: step_behind(kept.desk, ticket, ticket, "ada"),
        ):
            with pytest.raises(Rejected) as found:
                await refused()
            assert found.value.refusal.reason == "engine_cannot"
            assert found.value.refusal.remedy.endswith(".")

    asyncio.run(story())
