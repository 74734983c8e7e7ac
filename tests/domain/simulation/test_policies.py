from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from hypothesis import given
from labpool.domain.catalogue import Flavour
from labpool.domain.inventory import Device, Inventory
from labpool.domain.leases import Place
from labpool.domain.needs import Needs
from labpool.domain.planner import Planner
from labpool.domain.plans import Plan
from labpool.domain.schedule import Schedule
from labpool.domain.simulation.policies import PolicyName, easy, fifo, policy
from labpool.domain.simulation.replay import BEGINNING, replay
from labpool.domain.simulation.trace import Arrival
from labpool.domain.tickets import Ticket
from labpool.domain.world import World

from tests.domain.lab import catalogue
from tests.domain.simulation.traces import HOUR, arrival, hours, played, traces

MARGIN = 1 / 60
ONE_NODE = {"n1": 4}


def test_the_pools_own_policy_is_the_planner_itself():
    assert getattr(policy(PolicyName.LABPOOL), "__func__", None) is Planner.plan


def test_fifo_lets_nobody_slip_in():
    outcome = played(
        fifo,
        arrival(0, gpus=3, wall=4, user="ada"),
        arrival(0.1, gpus=2, wall=1, user="lin"),
        arrival(0.2, gpus=1, wall=1, user="eve"),
        nodes=ONE_NODE,
    )
    assert hours(outcome.runs) == {"ada": 0, "lin": 4, "eve": 4}


def test_fifo_does_not_stand_still_for_somebody_at_the_own_limit():
    outcome = played(
        fifo,
        arrival(0, gpus=2, wall=4, user="ada"),
        arrival(0.1, gpus=1, wall=1, user="ada"),
        arrival(0.2, gpus=1, wall=1, user="eve"),
        nodes=ONE_NODE,
        rules=catalogue({"vision": (4, 4)}, gpus=2),
    )
    assert [(run.arrival.user, run.start_s / HOUR) for run in outcome.runs] == [("ada", 0), ("eve", 0.2), ("ada", 4)]


def test_fifo_keeps_the_order_among_those_who_wait_for_the_same_limit():
    outcome = played(
        fifo,
        arrival(0, gpus=2, wall=4, user="ada"),
        arrival(0.1, gpus=2, wall=1, user="lin"),
        arrival(0.2, gpus=1, wall=1, user="eve"),
        arrival(0.3, gpus=1, wall=1, user="bert", project="speech"),
        nodes={"n1": 6},
        rules=catalogue({"vision": (3, 0), "speech": (3, 0)}),
    )
    assert hours(outcome.runs) == {"ada": 0, "bert": 0.3, "lin": 4, "eve": 4}


def test_easy_keeps_the_reservation_of_the_first_when_a_second_waits_too():
    trace = (
        arrival(0, gpus=2, wall=4, user="ada"),
        arrival(0, gpus=1, wall=8, user="bert"),
        arrival(0.1, gpus=3, wall=1, user="first"),
        arrival(0.2, gpus=4, wall=1, user="second"),
        arrival(0.3, gpus=1, wall=6, user="in the first's way"),
    )
    assert hours(played(easy, *trace, nodes=ONE_NODE).runs) == {
        "ada": 0,
        "bert": 0,
        "first": 4,
        "second": 8,
        "in the first's way": 9,
    }


def test_easy_keeps_a_limit_for_the_first_who_waits_for_it_only_among_those_under_it():
    outcome = played(
        easy,
        arrival(0, gpus=2, wall=4, user="ada"),
        arrival(0.1, gpus=2, wall=1, user="lin"),
        arrival(0.2, gpus=1, wall=8, user="beside lin"),
        arrival(0.2, gpus=1, wall=8, user="not beside lin"),
        arrival(0.3, gpus=1, wall=8, user="bert", project="speech"),
        nodes={"n1": 6},
        rules=catalogue({"vision": (3, 0), "speech": (3, 0)}),
    )
    assert hours(outcome.runs) == {"ada": 0, "beside lin": 0.2, "bert": 0.3, "lin": 4, "not beside lin": 5}


@given(traces)
def test_fifo_is_as_strict_where_projects_and_users_may_hold_every_device(trace: tuple[Arrival, ...]):
    runs = played(fifo, *trace, rules=catalogue({"vision": (6, 0), "speech": (6, 0)}, gpus=6)).runs
    assert [run.ticket for run in runs] == sorted(run.ticket for run in runs)


@given(traces)
def test_fifo_starts_in_the_order_of_asking(trace: tuple[Arrival, ...]):
    runs = played(fifo, *trace).runs
    assert [run.ticket for run in runs] == sorted(run.ticket for run in runs)


def test_easy_starts_what_is_over_before_the_first_in_line_can_start():
    trace = (
        arrival(0, gpus=3, wall=4, user="ada"),
        arrival(0.1, gpus=4, wall=1, user="lin"),
        arrival(0.2, gpus=1, wall=3.8, user="over in time"),
        arrival(0.3, gpus=1, wall=8, user="too long"),
    )
    # lin's reservation is for 4 h and a margin; the run of 3.8 h ends at 4.0, its margin with lin's start
    assert hours(played(easy, *trace, nodes=ONE_NODE).runs) == {
        "ada": 0,
        "over in time": 0.2,
        "lin": 4,
        "too long": 5,
    }


def test_easy_starts_what_uses_only_devices_that_the_first_in_line_leaves_free():
    trace = (
        arrival(0, gpus=2, wall=4, user="ada"),
        arrival(0.1, gpus=3, wall=1, user="lin"),
        arrival(0.2, gpus=1, wall=24, user="beside"),
        arrival(0.3, gpus=1, wall=24, user="in the way"),
    )
    assert hours(played(easy, *trace, nodes=ONE_NODE).runs) == {"ada": 0, "beside": 0.2, "lin": 4, "in the way": 5}


def test_easy_tries_the_other_node_before_it_gives_up():
    trace = (
        arrival(0, gpus=2, wall=4, user="ada"),
        arrival(0, gpus=2, wall=8, user="bert"),
        arrival(0.1, gpus=3, wall=1, user="lin"),
        arrival(0.2, gpus=2, wall=24, user="eve"),
    )
    # ada holds the small node, bert half of the large one, where lin waits; eve may only have the small node
    outcome = played(easy, *trace, nodes={"large": 4, "small": 2})
    assert hours(outcome.runs) == {"ada": 0, "bert": 0, "eve": 4, "lin": 8}


def test_easy_gives_a_reservation_to_the_first_in_line_only():
    trace = (
        arrival(0, gpus=4, wall=1, user="ada"),
        arrival(0.1, gpus=3, wall=4, user="first"),
        arrival(0.2, gpus=3, wall=1, user="second"),
        arrival(0.3, gpus=1, wall=12, user="long"),
    )
    # long delays nobody who has a reservation; under promises it would have to let second go first
    assert hours(played(easy, *trace, nodes=ONE_NODE).runs) == {"ada": 0, "first": 1, "long": 1, "second": 5}


def test_easy_keeps_no_devices_for_somebody_who_waits_for_a_limit():
    outcome = played(
        easy,
        arrival(0, gpus=2, wall=4, user="ada"),
        arrival(0.1, gpus=3, wall=1, user="lin"),
        arrival(0.3, gpus=2, wall=8, user="bert", project="speech"),
        nodes=ONE_NODE,
        rules=catalogue({"vision": (3, 0), "speech": (3, 0)}),
    )
    assert hours(outcome.runs) == {"ada": 0, "bert": 0.3, "lin": 8.3}


def test_easy_lets_nobody_use_up_the_own_limit_with_another_flavour():
    rules = catalogue({"vision": (4, 0)}, gpus=4)
    vision = replace(rules.projects["vision"], nominal={"gpu": 4, "slice": 4})
    rules = replace(rules, flavours={**rules.flavours, "slice": Flavour("slice", "Slice")}, projects={"vision": vision})
    devices = Inventory((), tuple(Device(f"{kind}{i}", kind, "n1", i) for kind in ("gpu", "slice") for i in range(4)))
    trace = (
        arrival(0, gpus=3, wall=4, user="bert"),
        arrival(0.1, gpus=2, wall=1, user="ada"),
        replace(arrival(0.2, gpus=3, wall=8, user="ada"), flavour="slice"),
        replace(arrival(0.3, gpus=3, wall=8, user="lin"), flavour="slice"),
    )
    runs = replay(trace, devices, rules, easy).runs
    assert [(run.arrival.user, run.start_s / HOUR) for run in runs] == [
        ("bert", 0),
        ("lin", 0.3),
        ("ada", 4),
        ("ada", 8.3),
    ]


class _FirstReservations:
    """EASY, with the earliest start noted that each ticket had when it first headed the line."""

    def __init__(self) -> None:
        self.reserved: dict[str, float] = {}

    def __call__(self, world: World, now: datetime) -> Plan:
        decided = easy(world, now)
        granted = {grant.ticket: grant for grant in decided.grants}
        waiting = [ticket for ticket in world.line() if ticket.id not in granted]
        if waiting:
            found = self._with(decided, world, now).earliest(Needs(world).of(waiting[0]))
            assert found
            self.reserved.setdefault(waiting[0].id, (found.start - BEGINNING).total_seconds())
        return decided

    def _with(self, decided: Plan, world: World, now: datetime) -> Schedule:
        schedule = Schedule(world, now)
        nodes = {device.id: device.node for device in world.inventory.devices}
        tickets: dict[str, Ticket] = {ticket.id: ticket for ticket in world.tickets}
        for grant in decided.grants:
            schedule.book(
                Needs(world).of(tickets[grant.ticket]), Place(nodes[grant.devices[0]], grant.starts, grant.ends)
            )
        return schedule


@given(traces)
def test_easy_never_delays_the_first_in_line(trace: tuple[Arrival, ...]):
    policy = _FirstReservations()
    for run in played(policy, *trace).runs:
        assert run.start_s <= policy.reserved.get(run.ticket, run.start_s)
