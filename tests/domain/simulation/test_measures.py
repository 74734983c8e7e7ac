"""Every measure on cases that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest
from labpool.domain.plans import BreakCause, BrokenPromise
from labpool.domain.reasons import RefusalReason
from labpool.domain.simulation.fairness import (
    fair_shares,
    fairness_by_moment,
    jain,
    use_for_fair_share,
    use_while_waiting,
)
from labpool.domain.simulation.measures import (
    UNREPORTED,
    Waits,
    bounded_slowdown,
    broken_promises,
    measure,
    percentile,
    requests,
    utilisation,
    waits,
    weights_of,
)
from labpool.domain.simulation.outcome import Outcome, Refused, Run
from labpool.domain.simulation.trace import Arrival

from tests.domain.lab import catalogue

SOMETIME = datetime(2000, 1, 3, tzinfo=timezone.utc)


def ran(
    submit: float, start: float, end: float, gpus: int = 1, project: str = "vision", promised: float | None = None
) -> Run:
    arrival = Arrival(submit, "ada", project, gpus, "gpu", 1e6, end - start)
    return Run(f"{project}{submit}-{start}", arrival, tuple(f"d{n}" for n in range(gpus)), submit, start, end, promised)


def outcome(*runs: Run, devices: int = 4, until: float = 1000, broken: tuple[BrokenPromise, ...] = ()) -> Outcome:
    return Outcome(runs, (), broken, {"gpu": devices}, 0, until, 60)


def test_waits_are_summed_up():
    runs = [ran(0, wait, 5000) for wait in (0, 10, 20, 30, 1000)]
    assert waits(requests(runs)) == Waits(tickets=5, mean_s=212, p50_s=20, p95_s=1000)


def test_a_run_in_two_stays_is_one_request_that_waited_for_both():
    first = ran(0, 10, 100)
    again = replace(first, asked_s=100, start_s=150, end_s=1000, attempt=2)
    (request,) = requests([first, again])
    assert (request.wait_s, request.ran_s) == (60, 940)
    assert measure(outcome(first, again), {"vision": 1}).requeues == 1


def test_percentile_is_the_nearest_rank():
    hundred = [float(n) for n in range(1, 101)]
    assert [percentile(hundred, part) for part in (0.005, 0.5, 0.501, 0.95, 1)] == [1, 50, 51, 95, 100]


@pytest.mark.parametrize(
    ("wait", "run", "slowdown"),
    [(0, 1800, 1), (1800, 1800, 2), (600, 60, 1.1), (60, 60, 1), (0, 0, 1), (1200, 0, 2)],
)
def test_bounded_slowdown_counts_short_runs_as_ten_minutes(wait: float, run: float, slowdown: float):
    (request,) = requests([ran(0, wait, wait + run)])
    assert bounded_slowdown(request) == pytest.approx(slowdown)


def test_utilisation_counts_only_while_requests_come():
    # 2 devices for 500 s and 1 for the last 100 s of 1000 s, of 4 devices
    assert utilisation(outcome(ran(0, 0, 500, gpus=2), ran(900, 900, 9000))) == pytest.approx(1100 / 4000)


def test_utilisation_of_requests_that_all_came_at_once_is_not_measured():
    assert utilisation(outcome(ran(0, 0, 500), until=0)) is None


def test_jains_index_by_hand():
    assert jain([3, 3, 3]) == pytest.approx(1)
    assert jain([1, 0, 0, 0]) == pytest.approx(1 / 4)
    assert jain([1, 2, 3]) == pytest.approx(36 / (3 * 14))
    assert jain([5]) is None
    assert jain([0, 0]) is None


def test_fair_shares_go_by_weight_and_what_nobody_wants_goes_to_the_others():
    weights = {"vision": 2, "speech": 1, "robots": 1}
    assert fair_shares(8, dict.fromkeys(weights, 100), weights) == {"vision": 4, "speech": 2, "robots": 2}
    assert fair_shares(8, {"vision": 1, "speech": 100, "robots": 3}, weights) == {
        "vision": 1,
        "speech": pytest.approx(4),
        "robots": pytest.approx(3),
    }
    assert fair_shares(8, {"vision": 1, "speech": 2}, weights) == {"vision": 1, "speech": 2}


def test_who_asks_for_little_is_served_fairly_once_it_has_that():
    uses = use_for_fair_share(
        outcome(
            ran(0, 0, 1000, gpus=1, project="speech"),  # all that it wants
            ran(0, 0, 1000, gpus=3, project="vision"),
            ran(0, 1000, 2000, gpus=4, project="vision"),  # waits all the time
        ),
        {"vision": 1, "speech": 1},
    )
    assert uses == {"speech": pytest.approx(1), "vision": pytest.approx(1)}


def test_who_is_passed_over_holds_less_than_its_fair_share():
    uses = use_for_fair_share(
        outcome(
            ran(0, 0, 1000, gpus=4, project="vision"),
            ran(0, 500, 1500, gpus=4, project="speech"),  # waits until 500, without a device
            ran(0, 1000, 2000, gpus=4, project="vision"),
            until=500,
        ),
        {"vision": 1, "speech": 1},
    )
    assert uses == {"vision": pytest.approx(2), "speech": 0}


def test_shares_of_each_flavour_count_apart():
    other = ran(0, 0, 1000, gpus=2, project="speech")
    other = replace(other, arrival=replace(other.arrival, flavour="slice"))
    runs = (ran(0, 0, 1000, gpus=4), ran(0, 1000, 2000), other)
    found = use_for_fair_share(replace(outcome(*runs), devices={"gpu": 4, "slice": 2}), {"vision": 1, "speech": 1})
    assert found == {"vision": pytest.approx(1)}  # nobody waits for a slice


def test_use_counts_only_while_the_project_waits_and_requests_come():
    uses = use_while_waiting(
        outcome(
            ran(0, 0, 400, gpus=2, project="vision"),  # held for 200 s of vision's waits
            ran(100, 200, 400, project="vision"),  # waits 100 to 200
            ran(150, 300, 900, project="vision"),  # waits 150 to 300
            ran(100, 600, 700, gpus=2, project="speech"),  # waits 100 to 600, holds nothing then
            ran(500, 500, 600, project="speech"),  # but this for 100 s
            ran(0, 0, 1000, project="robots"),  # never waits
        ),
        {"vision": 2, "speech": 1, "robots": 1},
    )
    # vision: (2 × 200 s + 1 × 100 s) in 200 s over weight 2; speech: 100 s in 500 s over weight 1
    assert uses == {"vision": pytest.approx(500 / 200 / 2), "speech": pytest.approx(100 / 500)}


def test_waiting_after_the_last_request_does_not_count():
    late = ran(900, 5000, 6000, project="speech")
    assert use_while_waiting(outcome(late, ran(0, 0, 950, project="speech")), {"speech": 1}) == {
        "speech": pytest.approx(50 / 100)
    }


def test_broken_promises_are_counted_by_cause_and_the_unreported_ones_found():
    kept = ran(0, 160, 200, promised=100)
    silent = ran(1, 161, 200, promised=100)
    reported = ran(2, 500, 600, promised=100)
    report = BrokenPromise(reported.ticket, SOMETIME, None, BreakCause.OVERRUN)
    assert broken_promises(outcome(kept, silent, reported, broken=(report,))) == {UNREPORTED: 1, "overrun": 1}


def test_weights_are_the_nominal_devices():
    assert weights_of(catalogue({"vision": (4, 2), "guests": (0, 2)})) == {"vision": 4, "guests": 1}


def test_all_measures_come_together():
    arrival = Arrival(0, "ada", "vision", 9, "gpu", 1, 1)
    refused = Refused(arrival, RefusalReason.OVER_NODE)
    runs = (ran(0, 0, 600, gpus=2, promised=0), ran(10, 20, 620, project="speech"), ran(20, 60, 660, gpus=10))
    measured = measure(replace(outcome(*runs, devices=13), refused=(refused, refused)), {"vision": 1, "speech": 1})
    assert (measured.waits.tickets, measured.promises, measured.broken) == (3, 1, {})
    assert measured.refused == {"over_node": 2}
    assert {name: each.mean_s for name, each in measured.waits_by_project.items()} == {"speech": 10, "vision": 20}
    assert list(measured.waits_by_gpus) == [1, 2, 10]
    assert measured.bounded_slowdown == pytest.approx((1 + 610 / 600 + 640 / 600) / 3)
    assert measured.utilisation == pytest.approx(13 * 600 / 13_000)
    assert measured.fairness_while_waiting == pytest.approx(1 / 2)  # speech held nothing while it waited


def test_fairness_by_moment_by_hand():
    found = fairness_by_moment(
        outcome(
            ran(0, 0, 600, gpus=3, project="vision"),
            ran(0, 0, 300, project="speech"),
            ran(0, 600, 700, project="vision"),
            ran(100, 300, 900, project="speech"),
            ran(150, 1200, 1300, project="robots"),
        ),
        {"vision": 3, "speech": 1, "robots": 1},
    )
    # 100-150 s: vision 3/3, speech 1/1, index 1; 150-300 s: robots wait too and hold nothing, index 2²/(3 × 2);
    # 300-600 s: vision 1 and robots 0, index 1/2; from 600 s on only robots wait
    assert found == pytest.approx((50 * 1 + 150 * 2 / 3 + 300 / 2) / 500)


def test_errors_of_first_estimates_by_hand():
    def estimated(wait: float, likely: float | None, last_waits: float | None, attempt: int = 1) -> Run:
        return replace(ran(100, 100 + wait, 5000), attempt=attempt, likely_s=likely, recent_wait_s=last_waits)

    measured = measure(
        outcome(
            estimated(60, likely=150, last_waits=20),  # off by 10, and by 40
            estimated(200, likely=350, last_waits=130),  # by 50, and by 70
            estimated(30, likely=110, last_waits=930),  # by 20, and by 900
            estimated(500, likely=600, last_waits=None),  # only one estimate: not compared
            estimated(900, likely=1000, last_waits=900, attempt=2),  # went on after it was taken back
        ),
        {"vision": 1},
    )
    assert (measured.likely_error_s, measured.naive_error_s, measured.requeues) == (20, 70, 1)


def test_waits_by_project_and_size_by_hand():
    vision = [ran(n, n + wait, 5000) for n, wait in enumerate((0, 10, 20, 30, 1000))]
    speech = [ran(n, n + wait, 5000, gpus=2, project="speech") for n, wait in enumerate((5, 7), start=10)]
    measured = measure(outcome(*vision, *speech, ran(20, 24, 5000, gpus=2)), {"vision": 1, "speech": 1})
    assert measured.waits_by_project == {
        "speech": Waits(tickets=2, mean_s=6, p50_s=5, p95_s=7),
        "vision": Waits(tickets=6, mean_s=pytest.approx(1064 / 6), p50_s=10, p95_s=1000),
    }
    assert measured.waits_by_gpus == {
        1: Waits(tickets=5, mean_s=212, p50_s=20, p95_s=1000),
        2: Waits(tickets=3, mean_s=pytest.approx(16 / 3), p50_s=5, p95_s=7),
    }


def test_nothing_to_measure_is_the_callers_mistake():
    with pytest.raises(ValueError, match="at least one request"):
        measure(outcome(), {})
