"""Planners and extensions with one thing wrong each.

The histories must catch every one of them, or they would not guard the rule.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from labpool.domain import extending, outlook, owners
from labpool.domain.budgets import Accounts
from labpool.domain.decision import Decision
from labpool.domain.entries import Entries
from labpool.domain.guarantees import Guarantees
from labpool.domain.keeping import Kept
from labpool.domain.leases import Lease
from labpool.domain.needs import Need, Needs
from labpool.domain.outlook import Outlook
from labpool.domain.planner import Planner, plan
from labpool.domain.plans import Plan
from labpool.domain.reserving import Consequences
from labpool.domain.schedule import Schedule
from labpool.domain.tickets import Ticket
from labpool.domain.world import World

from tests.domain.history import PEACEFUL, TROUBLE, History, Step, histories
from tests.domain.living_pool import Planner as Plans
from tests.domain.rules import InvariantBroken

pytestmark = pytest.mark.once

HUNT = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
SHORT = timedelta(seconds=5)


def hunt(kinds: tuple[str, ...], mutant: Plans | None = None) -> None:
    """Run random histories on a planner until one breaks an invariant; the histories are the same each time."""

    @HUNT
    @given(histories(kinds, 40))
    def live(steps: list[Step]) -> None:
        History(mutant or Planner().plan, SHORT).run(steps)

    live()


def without_cap(kind: str) -> Callable[[Needs, Ticket], Need]:
    """A need that forgets one of its caps."""
    really = Needs.of

    def forgetful(self: Needs, ticket: Ticket) -> Need:
        need = really(self, ticket)
        return replace(need, caps=tuple(cap for cap in need.caps if cap.key[0] != kind))

    return forgetful


def without_amounts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a schedule's bookings of some kind take nothing."""
    really = getattr(Entries, name)
    monkeypatch.setattr(Entries, name, lambda *given: really(*given)._replace(amounts=()))


def test_the_unharmed_planner_survives_the_hunt():
    hunt(PEACEFUL)
    hunt(PEACEFUL * 2 + TROUBLE)


def test_a_planner_that_hands_out_what_is_in_use_is_caught_leasing_a_device_twice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Schedule, "unleased", lambda self, flavour, node: self.nodes_of(flavour)[node])
    with pytest.raises(InvariantBroken, match=r"^1: a device is in two leases"):
        hunt(PEACEFUL)


def test_a_planner_blind_to_leases_is_caught_granting_what_is_not_there(monkeypatch: pytest.MonkeyPatch):
    without_amounts("of_lease", monkeypatch)
    with pytest.raises(InvariantBroken, match=r"^[23]: |^t\d+ got "):
        hunt(PEACEFUL)


def test_a_planner_blind_to_its_own_places_is_caught_granting_what_is_not_there(monkeypatch: pytest.MonkeyPatch):
    without_amounts("of_place", monkeypatch)
    with pytest.raises(InvariantBroken, match=r"^[236]: |^t\d+ got |was promised more than"):
        hunt(PEACEFUL)


def test_a_planner_that_keeps_nothing_for_who_started_early_is_caught(monkeypatch: pytest.MonkeyPatch):
    really = Entries.of_fallback
    monkeypatch.setattr(
        Entries, "of_fallback", lambda *given: tuple(each._replace(amounts=(), shares=()) for each in really(*given))
    )
    with pytest.raises(InvariantBroken, match=r"^6: t\d+ could not fall back|was promised more than"):
        hunt(PEACEFUL)


def test_a_planner_that_lets_an_overrunning_lease_count_as_gone_is_caught(monkeypatch: pytest.MonkeyPatch):
    really = Schedule.stands
    monkeypatch.setattr(
        Schedule,
        "stands",
        lambda self, need, place, without=(), kept=True: really(
            self, need, place, self.overrunning().union(without), kept
        ),
    )
    with pytest.raises(InvariantBroken, match=r"^[123]: |got "):
        hunt(PEACEFUL * 2 + TROUBLE)


def test_a_planner_that_forgets_the_users_limit_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Needs, "of", without_cap("user"))
    with pytest.raises(InvariantBroken, match=r"^2: user. is over the limit"):
        hunt(PEACEFUL)


def test_a_planner_that_forgets_the_projects_share_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Needs, "of", without_cap("project"))
    with pytest.raises(InvariantBroken, match=r"^3: .* is over its share|promised more than"):
        hunt(PEACEFUL)


def test_a_planner_that_promises_what_must_be_borrowed_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Needs, "promised", Needs.of)
    with pytest.raises(InvariantBroken, match=r"was promised more than"):
        hunt(PEACEFUL)


def test_a_planner_that_leases_a_server_twice_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Needs, "of", without_cap("server"))
    monkeypatch.setattr(Outlook, "server_is_held", lambda *_: False)
    with pytest.raises(InvariantBroken, match=r"got two leases"):
        hunt(PEACEFUL)


def test_a_planner_that_starts_from_nothing_each_time_is_caught_breaking_promises():
    def forgetful(world: World, now: datetime) -> Plan:
        return plan(replace(world, slots=()), now)

    with pytest.raises(InvariantBroken, match=r"^6: .* waits past its promise|a slot moved later"):
        hunt(PEACEFUL, forgetful)


def test_a_planner_that_deals_out_what_is_promised_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outlook, "keep", lambda *_: Kept())
    with pytest.raises(InvariantBroken, match=r"^6: |a second look"):
        hunt(PEACEFUL, plan)


@pytest.mark.parametrize("left_out", ["_give_slack", "_improve"])
def test_a_planner_that_leaves_a_step_out_is_caught_leaving_somebody_waiting(left_out: str):
    def lazy(world: World, now: datetime) -> Plan:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Decision, left_out, lambda *_: False)
            return plan(world, now)

    with pytest.raises(InvariantBroken, match=r"somebody could have started|a second look"):
        hunt(PEACEFUL, lazy)


def test_a_planner_that_does_not_notice_what_came_free_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Outlook, "_stir", lambda *_: None)
    with pytest.raises(InvariantBroken, match=r"somebody could have started|a second look"):
        hunt(PEACEFUL)


@pytest.mark.parametrize(
    ("rule", "forgotten", "said"),
    [
        ("borrowed", lambda _, leases, flavour, now: [x for x in leases if x.flavour == flavour], "is not borrowed"),
        ("may_be_taken", lambda *_: True, "taken too early|was taken and is|given its grace"),
    ],
)
def test_a_planner_that_takes_back_what_it_may_not_is_caught(
    monkeypatch: pytest.MonkeyPatch, rule: str, forgotten: object, said: str
):
    monkeypatch.setattr(owners, rule, forgotten)
    with pytest.raises(InvariantBroken, match=said):
        hunt(PEACEFUL)


def test_a_planner_that_does_not_let_owners_wait_is_caught(monkeypatch: pytest.MonkeyPatch):
    really = owners.Owners.__init__

    def hasty(self: owners.Owners, outlook: Outlook, fresh: list[str]) -> None:
        really(self, outlook, fresh)
        self._rules = replace(self._rules, wait_before_taking=timedelta(0))

    monkeypatch.setattr(owners.Owners, "__init__", hasty)
    with pytest.raises(InvariantBroken, match=r"has not waited yet|somebody could have started"):
        hunt(PEACEFUL)


def test_a_planner_that_lends_what_is_kept_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Guarantees, "seen_by", lambda *_: None)
    with pytest.raises(InvariantBroken, match=r"got what (others don't lend|is reserved on)"):
        hunt(PEACEFUL * 2 + TROUBLE)


def test_a_planner_that_forgets_budgets_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Accounts, "affordable_from", lambda self, booked, project, rate, start, duration: start)
    monkeypatch.setattr(Accounts, "overdrawn", lambda *_: False)
    with pytest.raises(InvariantBroken, match=r"^4: speech is .* over its budget"):
        hunt(PEACEFUL)


def test_a_planner_that_reserves_without_looking_is_caught_breaking_promises(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Consequences, "harmless", True)
    with pytest.raises(InvariantBroken, match=r"^6: .* broken by admin_change, which never happened"):
        hunt(PEACEFUL)


@pytest.mark.parametrize(
    ("rule", "forgotten", "said"),
    [
        ("_of_schedule", lambda *_: (), r"^6: |told only now|a second look"),
        ("borrowed", lambda *_: [], "is borrowed, and .* wait"),
        ("Held", lambda _: SimpleNamespace(use_for_weight=lambda *_: 0.0), "goes on before"),
    ],
    ids=["places", "borrowing", "fair share"],
)
def test_an_extension_that_looks_past_others_is_caught(
    monkeypatch: pytest.MonkeyPatch, rule: str, forgotten: object, said: str
):
    monkeypatch.setattr(extending, rule, forgotten)
    with pytest.raises(InvariantBroken, match=said):
        hunt(PEACEFUL + 3 * ("use", "extend"))


def test_a_planner_that_overlooks_an_extension_is_caught(monkeypatch: pytest.MonkeyPatch):
    really = Outlook.hold

    def as_it_was(self: Outlook, lease: Lease, ticket: Ticket) -> None:
        known = self.leases.get(lease.ticket)
        really(self, known if known and known.ends < lease.ends else lease, ticket)

    monkeypatch.setattr(Outlook, "hold", as_it_was)
    with pytest.raises(InvariantBroken, match=r"^[16]: |somebody could have started|a second look"):
        hunt(PEACEFUL)
