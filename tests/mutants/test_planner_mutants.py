"""Planners with one thing wrong each. The histories must catch every one of them, or they would not guard the rule."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from labpool.domain import planner, schedule
from labpool.domain.planner import plan
from labpool.domain.plans import BreakCause, BrokenPromise, Plan
from labpool.domain.schedule import Need, Place, Schedule
from labpool.domain.tickets import Ticket
from labpool.domain.world import World

from tests.domain.history import PEACEFUL, TROUBLE, History, InvariantBroken, Planner, Step, histories

HUNT = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def hunt(mutant: Planner, kinds: tuple[str, ...]) -> None:
    """Run random histories on a planner until one breaks an invariant; the histories are the same each time."""

    @HUNT
    @given(histories(kinds, 40))
    def live(steps: list[Step]) -> None:
        History(mutant, timedelta(seconds=5)).run(steps)

    live()


def without_cap(kind: str) -> object:
    """A need that forgets one of its caps."""

    def forgetful(ticket: Ticket, world: World) -> Need:
        need = schedule.need_of(ticket, world)
        return replace(need, caps=tuple(cap for cap in need.caps if cap.key[0] != kind))

    return forgetful


def test_the_unharmed_planner_survives_the_hunt():
    hunt(plan, PEACEFUL)
    hunt(plan, PEACEFUL * 2 + TROUBLE)


def test_a_planner_that_hands_out_what_is_in_use_is_caught_leasing_a_device_twice(monkeypatch: pytest.MonkeyPatch):
    def careless(self: Schedule, need: Need, place: Place) -> tuple[str, ...]:
        return tuple(self.nodes_of(need.flavour)[place.node][: need.gpus])

    monkeypatch.setattr(Schedule, "hand_out", careless)
    with pytest.raises(InvariantBroken, match=r"^1: a device is in two leases"):
        hunt(plan, PEACEFUL)


def test_a_planner_blind_to_leases_is_caught_granting_what_is_not_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Schedule, "_spans_by_key", lambda *_: {})
    with pytest.raises(InvariantBroken, match=r"^[23]: |^t\d+ got \("):
        hunt(plan, PEACEFUL)


def test_a_planner_blind_to_its_own_bookings_is_caught_granting_what_is_not_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Schedule, "book", lambda *_: None)
    monkeypatch.setattr(Schedule, "release", lambda *_: None)
    with pytest.raises(InvariantBroken, match=r"^[23]: |^t\d+ got \("):
        hunt(plan, PEACEFUL)


def test_a_planner_that_lets_an_overrunning_lease_count_as_gone_is_caught(monkeypatch: pytest.MonkeyPatch):
    def trusting(self: Schedule, need: Need, place: Place, without: frozenset[str] = frozenset()) -> bool:
        return really(self, need, place, self.overrunning.union(without))

    really = Schedule.stands
    monkeypatch.setattr(Schedule, "stands", trusting)
    with pytest.raises(InvariantBroken, match=r"^[123]: |got two leases"):
        hunt(plan, PEACEFUL * 2 + TROUBLE)


def test_a_planner_that_forgets_the_users_limit_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(planner, "need_of", without_cap("user"))
    with pytest.raises(InvariantBroken, match=r"^2: user. is over the limit"):
        hunt(plan, PEACEFUL)


def test_a_planner_that_forgets_the_projects_share_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(planner, "need_of", without_cap("project"))
    with pytest.raises(InvariantBroken, match=r"^3: .* is over its share"):
        hunt(plan, PEACEFUL)


def test_a_planner_that_leases_a_server_twice_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(planner, "need_of", without_cap("server"))
    with pytest.raises(InvariantBroken, match=r"got two leases"):
        hunt(plan, PEACEFUL)


def test_a_planner_that_starts_from_nothing_each_time_is_caught_breaking_promises():
    def forgetful(world: World, now: datetime) -> Plan:
        return plan(replace(world, slots=()), now)

    with pytest.raises(InvariantBroken, match=r"^6: .* waits past its promise"):
        hunt(forgetful, PEACEFUL)


def test_a_planner_that_deals_out_what_is_promised_is_caught(monkeypatch: pytest.MonkeyPatch):
    def only_new(self: planner._Draft) -> list[str]:
        return [ticket.id for ticket in self.line if ticket.id not in self.stored]

    monkeypatch.setattr(planner._Draft, "keep", only_new)
    with pytest.raises(InvariantBroken, match=r"^6: |a second look"):
        hunt(plan, PEACEFUL)


def test_a_planner_that_hides_broken_promises_is_caught():
    def silent(world: World, now: datetime) -> Plan:
        return replace(plan(world, now), broken=())

    with pytest.raises(InvariantBroken, match=r"^6: .* and nobody said so"):
        hunt(silent, PEACEFUL * 2 + TROUBLE)


def test_a_planner_that_makes_up_causes_is_caught():
    def blaming(world: World, now: datetime) -> Plan:
        decided = plan(world, now)
        told = {t.id: t.starts_by for t in world.tickets if t.starts_by}
        late = [slot for slot in decided.slots if slot.ticket in told and world.looked_at != now]
        made_up = (BrokenPromise(s.ticket, told[s.ticket], s.start, BreakCause.OVERRUN) for s in late)
        return replace(decided, broken=tuple(made_up))

    with pytest.raises(InvariantBroken, match=r"^6: .* which never happened"):
        hunt(blaming, PEACEFUL)


def test_a_planner_that_promises_anew_each_time_is_caught_moving_the_number_later():
    def fickle(world: World, now: datetime) -> Plan:
        decided = plan(world, now)
        return replace(decided, promises={slot.ticket: slot.start for slot in decided.slots})

    with pytest.raises(InvariantBroken, match=r"^6b: "):
        hunt(fickle, PEACEFUL * 2 + TROUBLE)


def test_a_planner_that_gives_up_after_one_round_is_caught_leaving_somebody_waiting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(planner, "cycle", iter)
    with pytest.raises(InvariantBroken, match=r"somebody could have started|a second look"):
        hunt(plan, PEACEFUL)
