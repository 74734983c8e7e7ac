"""What Kueue says of Workloads, as verdicts on tickets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from labpool.domain.reasons import WaitReason
from labpool.domain.verdicts import Verdicts
from labpool.kueue.decided import verdicts_of
from labpool.kueue.workloads import Workload, workload_of
from labpool.settings import KueueSettings

from tests.domain.lab import NINE

SETTINGS = KueueSettings("lab")
QUOTA = (
    "couldn't assign flavors to pod set main: insufficient unused quota for {} in flavor lab-a100-ab12cd, 4 more needed"
)
TOPOLOGY = 'topology "lab" doesn\'t allow to fit any of 1 pod(s). Total nodes: 4; excluded: {}'
PREEMPTED = (
    "Preempted to accommodate a workload (UID: {}, JobUID: UNKNOWN) due to reclamation within the cohort; "
    "preemptor path: /lab/lab-speech; preemptee path: /lab/lab-vision"
)


def seen(name: str, minute: int = 0, ours: bool = True, **said: object) -> Workload:
    """A Workload as the API server gives it; `said` are parts of its spec, and its conditions with their messages."""
    labels = {"labpool/ticket": name, "labpool/pool": "p1" if ours else "p2"}
    created = (NINE + timedelta(minutes=minute)).isoformat()
    metadata = {"name": f"ticket-{name}", "uid": f"uid-{name}", "creationTimestamp": created, "labels": labels}
    spec = {"queueName": "vision", "active": said.pop("active", True), "priority": said.pop("priority", 300)}
    admission = said.pop("admission", None)
    conditions = [_condition(kind, said[kind]) for kind in said]
    status = {"conditions": conditions, **({"admission": admission} if admission else {})}
    return workload_of({"metadata": metadata, "spec": spec, "status": status})


def _condition(kind: str, said: object) -> dict[str, str]:
    status, message = ("True", "") if said is True else ("False" if kind == "QuotaReserved" else "True", str(said))
    return {"type": kind, "status": status, "message": message, "lastTransitionTime": "2026-03-02T09:00:00Z"}


def admission(host: str = "n1", gpus: str = "2") -> dict[str, object]:
    topology = {"levels": ["kubernetes.io/hostname"], "slices": [{"valuesPerLevel": [{"universal": host}]}]}
    flavours = {"nvidia.com/gpu": "lab-a100-ab12cd", "cpu": "lab-a100-ab12cd"}
    usage = {"nvidia.com/gpu": gpus, "cpu": "4"}
    return {"podSetAssignments": [{"flavors": flavours, "resourceUsage": usage, "topologyAssignment": topology}]}


def told(*workloads: Workload, held_off: str = "", **places: int) -> Verdicts:
    named = {f"ticket-{name}": place for name, place in places.items()}
    return verdicts_of(workloads, "p1", SETTINGS, named, {held_off})


def test_admitted_one_names_its_machine():
    admitted = seen("train", QuotaReserved=True, Admitted=True, admission=admission("gpu-3"))
    verdict = told(admitted).of["train"]
    assert (verdict.node, verdict.goes_back, verdict.place) == ("gpu-3", False, None)
    reserved = seen("train", QuotaReserved=True, admission=admission("gpu-3"))
    assert told(reserved).of["train"].node == ""


def test_of_a_missed_turn_and_the_next_place_in_line_the_last_one_counts():
    missed = seen("train", QuotaReserved=True, Admitted=True, admission=admission())
    again = replace(seen("train", minute=9), name="ticket-train-1")
    assert told(missed).of["train"].unclaimed == 0
    for both in ((missed, again), (again, missed)):
        verdict = told(*both).of["train"]
        assert (verdict.unclaimed, verdict.node) == (1, "")


def test_machine_is_told_by_its_name_where_its_host_name_is_another():
    admitted = seen("train", QuotaReserved=True, Admitted=True, admission=admission("gpu-3"))
    machines = {"gpu-3": "gpu-3.example.edu", "gpu-4": "gpu-4.example.edu"}
    verdicts = verdicts_of([admitted], "p1", SETTINGS, {}, set(), machines)
    assert verdicts.of["train"].node == "gpu-3.example.edu"


def test_who_is_asked_back_is_told_for_whom():
    said = PREEMPTED.format("uid-owner")
    taken = seen("train", QuotaReserved=True, Admitted=True, Evicted=said, admission=admission())
    verdicts = told(taken, seen("owner")).of
    assert (verdicts["train"].goes_back, verdicts["train"].taken_for) == (True, "owner")
    assert verdicts["owner"].why is WaitReason.COMING_BACK
    assert told(taken).of["train"].taken_for == ""  # somebody else's


def test_eviction_from_before_is_over_once_it_has_given_back():
    assert told(seen("train", QuotaReserved="Pending", Evicted="deactivated")).of["train"].goes_back is False


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (QUOTA.format("nvidia.com/gpu"), WaitReason.DEVICES),
        (QUOTA.format("cpu"), WaitReason.BESIDE_DEVICES),
        (QUOTA.format("nvidia.com/gpu") + ". Pending the preemption of 1 workload(s)", WaitReason.COMING_BACK),
        (TOPOLOGY.format('resource "nvidia.com/gpu": 4'), WaitReason.NO_ROOM),
        (TOPOLOGY.format('resource "memory": 3, resource "nvidia.com/gpu": 1'), WaitReason.NO_ROOM),
        (TOPOLOGY.format('resource "cpu": 4'), WaitReason.BESIDE_DEVICES),
        ('topology "lab" doesn\'t allow to fit any of 1 pod(s)', WaitReason.NO_ROOM),
        ("LocalQueue vision doesn't exist", WaitReason.QUEUE_STOPPED),
        ("ClusterQueue lab-vision is inactive", WaitReason.QUEUE_STOPPED),
        ("ClusterQueue lab-vision is stopped", WaitReason.QUEUE_STOPPED),
        ("something that Kueue has never said", None),
    ],
)
def test_messages_become_reasons(message: str, why: WaitReason | None):
    assert told(seen("train", QuotaReserved=message)).of["train"].why is why


def test_who_was_held_off_is_told_so_before_anything_else():
    pending = seen("train", active=False, QuotaReserved=QUOTA.format("nvidia.com/gpu"))
    assert told(pending, held_off="train").of["train"].why is WaitReason.NOT_PLACED


def test_place_is_kueues_own_and_who_is_held_back_stands_where_they_would():
    first, held, last = seen("first"), seen("held", minute=1, active=False), seen("last", minute=2)
    foreign = seen("foreign", minute=0, ours=False)
    places = {name: verdict.place for name, verdict in told(first, held, last, foreign, first=2, last=3).of.items()}
    assert places == {"first": 2, "held": 3, "last": 3}


def test_place_without_an_answer_follows_class_then_time():
    late, early, low = seen("late", minute=2), seen("early"), seen("low", priority=100)
    assert {name: each.place for name, each in told(late, early, low).of.items()} == {"late": 2, "early": 1, "low": 3}


@pytest.mark.parametrize(("queueing", "may_pass"), [("StrictFIFO", False), ("BestEffortFIFO", True)])
def test_whether_anybody_may_pass_is_as_pool_yaml_says(queueing: str, may_pass: bool):
    settings = replace(SETTINGS, queueing=queueing)
    assert verdicts_of([], "p1", settings, {}, set()).may_pass is may_pass


def test_devices_of_foreign_workloads_are_counted_by_flavour():
    theirs = seen("theirs", ours=False, QuotaReserved=True, Admitted=True, admission=admission(gpus="4"))
    waiting = seen("waiting", ours=False, QuotaReserved="Pending")
    over = seen("over", ours=False, QuotaReserved=True, Finished=True, admission=admission(gpus="4"))
    verdicts = told(theirs, waiting, over)
    assert dict(verdicts.others) == {"a100": 4}
    assert verdicts.of == {}
