from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from labpool.domain.catalogue import QueueRules
from labpool.domain.planner import plan
from labpool.domain.plans import Plan
from labpool.domain.reasons import RefusalReason
from labpool.domain.simulation.generate import Workload, generate, skewed
from labpool.domain.simulation.measures import broken_promises
from labpool.domain.simulation.outcome import Outcome
from labpool.domain.simulation.policies import Policy, PolicyName, fifo, policy
from labpool.domain.simulation.replay import NeverStarted, replay
from labpool.domain.simulation.trace import Arrival
from labpool.domain.tickets import Priority
from labpool.domain.world import World

from tests.domain.lab import catalogue, inventory
from tests.domain.simulation.traces import HOUR, NODES, ROOMY, arrival, hours, played, traces

TIGHT = catalogue({"vision": (2, 1), "speech": (3, 3)}, gpus=3, bert=4)
_LOST_S = QueueRules().end_grace.total_seconds()
_NOT_WORTH_A_START_S = QueueRules().shortest.total_seconds()
"""What a run whose devices are taken back does not use: it stops when it is told, and may not go on for little."""
SHARES = {"vision": 3, "speech": 6}

every_policy = pytest.mark.parametrize(
    "policy", [policy(name) for name in PolicyName], ids=[name.value for name in PolicyName]
)


def _most_at_once(outcome: Outcome, of: dict[str, str]) -> Counter[str]:
    """Most devices held at once by each name that `of` gives to tickets; ends go before starts of the same second."""
    changes = [(run.start_s, 1, of[run.ticket], len(run.devices)) for run in outcome.runs if run.end_s > run.start_s]
    changes += [(run.end_s, 0, of[run.ticket], -len(run.devices)) for run in outcome.runs if run.end_s > run.start_s]
    held, most = Counter[str](), Counter[str]()
    for _, _, name, change in sorted(changes):
        held[name] += change
        most[name] = max(most[name], held[name])
    return most


@every_policy
@given(trace=traces)
def test_whatever_the_policy_the_rules_hold(policy: Policy, trace: tuple[Arrival, ...]):
    outcome = played(policy, *trace, rules=TIGHT)
    ran: dict[str, float] = defaultdict(float)
    for run in outcome.runs:
        ran[run.ticket] += run.ran_s
    assert len(ran) + len(outcome.refused) == len(trace)
    for run in outcome.runs:
        assert run.start_s >= run.arrival.submit_s
        wanted = min(run.arrival.run_s, run.arrival.wall_s)
        assert wanted - _LOST_S * run.attempt - _NOT_WORTH_A_START_S <= ran[run.ticket] <= wanted + 1e-6
        assert len(set(run.devices)) == run.arrival.gpus
        assert len({device.split("-")[0] for device in run.devices}) == 1
    _assert_no_device_twice(outcome)
    by_user = _most_at_once(outcome, {run.ticket: run.arrival.user for run in outcome.runs})
    assert all(most <= (4 if user == "bert" else 3) for user, most in by_user.items())
    by_project = _most_at_once(outcome, {run.ticket: run.arrival.project for run in outcome.runs})
    assert all(most <= SHARES[project] for project, most in by_project.items())


def _assert_no_device_twice(outcome: Outcome) -> None:
    spans = sorted((device, run.start_s, run.end_s) for run in outcome.runs for device in run.devices)
    for (device, _, end), (other, start, _) in pairwise(spans):
        assert device != other or start >= end, f"{device} is used twice from {start}"


@given(trace=traces)
def test_the_planner_breaks_no_promise(trace: tuple[Arrival, ...]):
    outcome = played(plan, *trace, rules=TIGHT)
    assert not outcome.broken
    assert not broken_promises(outcome)


def test_a_long_trace_is_played_without_a_broken_promise():
    projects = skewed({"vision": 2, "speech": 1}, 4)
    sizes = ((1, 0.7), (2, 0.2), (4, 0.1))
    workload = Workload(150, 6, 1.0, projects=projects, sizes=sizes, heavy_users=True, diurnal=True)
    outcome = played(
        plan, *generate(workload, Random(3)), rules=catalogue({"vision": (4, 2), "speech": (2, 4)}, gpus=6)
    )
    assert sum(run.promised_s is not None for run in outcome.runs) > 50
    assert not broken_promises(outcome)


def test_promise_is_the_one_that_was_told_first():
    outcome = played(
        plan,
        arrival(0, gpus=4, wall=4, run=1, user="ada"),
        arrival(0.5, gpus=4, wall=2, user="lin"),
        nodes={"n1": 4},
    )
    lin = outcome.runs[1]
    assert (lin.start_s, lin.promised_s) == (1 * HOUR, 4 * HOUR + 60)


def test_run_is_ended_with_the_hours_asked():
    outcome = played(fifo, arrival(wall=1, run=5))
    assert outcome.runs[0].end_s == 1 * HOUR


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (arrival(project="chess"), RefusalReason.UNKNOWN_PROJECT),
        (arrival(gpus=5, user="lin"), RefusalReason.OVER_USER_LIMIT),
        (arrival(gpus=4, user="bert"), RefusalReason.OVER_PROJECT_LIMIT),
    ],
)
def test_request_that_can_never_be_met_is_refused(request_: Arrival, reason: RefusalReason):
    outcome = played(fifo, request_, rules=TIGHT)
    assert [(refused.arrival, refused.reason) for refused in outcome.refused] == [(request_, reason)]
    assert not outcome.runs


def test_request_for_more_than_any_node_holds_is_refused():
    assert [each.reason for each in played(plan, arrival(gpus=5)).refused] == [RefusalReason.OVER_NODE]


def test_unknown_flavour_has_no_profile():
    wrong = Arrival(0, "ada", "vision", 1, "abacus", HOUR, HOUR)
    assert [each.reason for each in played(plan, wrong).refused] == [RefusalReason.UNKNOWN_PROFILE]


def test_users_queue_is_as_long_as_the_pool_allows():
    outcome = played(fifo, *[arrival(n / 100, gpus=4) for n in range(12)])
    assert [each.reason for each in outcome.refused] == [RefusalReason.TOO_MANY_QUEUED] * 3


def test_a_run_of_no_length_and_the_same_second_do_no_harm():
    outcome = played(fifo, *[arrival(0, gpus=4, run=0, user=user) for user in ("ada", "bert", "lin")])
    assert hours(outcome.runs) == {"ada": 0, "bert": 0, "lin": 0}


def test_progress_counts_to_the_end():
    seen: list[int] = []
    trace = [arrival(0), arrival(0.5, project="chess"), arrival(1)]
    replay(trace, inventory(NODES), catalogue(), fifo, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 3


def test_policy_that_forgets_somebody_is_found_out():
    def forgetful(world: World, now: datetime) -> Plan:
        return Plan()

    with pytest.raises(NeverStarted, match="2 tickets wait in an idle pool"):
        played(forgetful, arrival(), arrival(1))


def test_who_left_the_line_made_others_wait_until_then():
    waiting = [
        arrival(0, gpus=4, wall=4, user="ada"),
        replace(arrival(0.5, gpus=4, wall=1, user="bert"), cancel_s=2 * HOUR),
        arrival(1, gpus=2, wall=8, user="lin"),
    ]
    outcome = played(plan, *waiting, nodes={"n1": 4})
    assert (hours(outcome.runs), outcome.left_line) == ({"ada": 0, "lin": 4}, (waiting[1],))
    early = replace(waiting[1], cancel_s=4 * HOUR)
    assert hours(played(plan, waiting[0], early, nodes={"n1": 4}).runs)["bert"] == pytest.approx(4, abs=0.1)


def test_higher_class_is_served_first():
    waiting = [arrival(0.2, wall=1, user="lin"), replace(arrival(0.1, wall=0.5, user="bert"), priority=Priority.BATCH)]
    outcome = played(plan, arrival(0, wall=4, run=1, user="ada"), *reversed(waiting), nodes={"n1": 1})
    assert hours(outcome.runs) == {"ada": 0, "lin": 1, "bert": 2}


def test_cpu_of_a_profile_counts_where_the_trace_names_it():
    rules = replace(ROOMY, profiles={"wide": replace(ROOMY.profiles["gpu-1"], name="wide", cpu=10)})
    trace = [arrival(0, user="ada"), arrival(0.1, user="lin")]
    assert hours(played(plan, *trace, nodes={"n1": 2}, rules=rules).runs)["lin"] == 0.1
    wide = [replace(each, profile="wide") for each in trace]
    assert hours(played(plan, *wide, nodes={"n1": 2}, rules=rules).runs)["lin"] == 1


def test_devices_taken_back_are_free_when_their_server_was_told_to_stop():
    rules = catalogue({"vision": (0, 4), "speech": (4, 0)})
    trace = [arrival(0, gpus=4, wall=8, user="ada"), arrival(1, gpus=4, wall=1, user="bert", project="speech")]
    borrowed, owner, again = played(plan, *trace, nodes={"n1": 4}, rules=rules).runs
    assert borrowed.end_s == owner.start_s == HOUR + (5 + 10 - 1) * 60
    assert again.attempt == 2
    assert again.ran_s == 8 * HOUR - (60 + 5 + 10) * 60


def test_stay_ends_just_when_it_was_recorded_to_end():
    recorded = replace(arrival(0, wall=2, run=1), ends_s=(HOUR + 7, 1.5 * HOUR))
    assert played(fifo, recorded).runs[0].end_s == HOUR + 7


def test_who_stopped_while_devices_were_taken_back_does_not_come_back():
    rules = catalogue({"vision": (0, 4), "speech": (4, 0)})
    asked = [arrival(hour, gpus=4, wall=1, user="bert", project="speech") for hour in (1, 2 + 40 / 60)]
    first, second = 75 * 60 + 30, 40 * 60 + 50  # the first time the pool was late by half a minute
    ran = replace(arrival(0, gpus=4, wall=8, user="ada"), run_s=first + second)
    trace = [replace(ran, ends_s=(HOUR + 14 * 60, 2 * HOUR + 54 * 60 + 50)), *asked]
    stays = [run for run in played(plan, *trace, nodes={"n1": 4}, rules=rules).runs if run.arrival.user == "ada"]
    assert [run.end_s for run in stays] == list(trace[0].ends_s)
