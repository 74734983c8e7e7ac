"""Stories of people on a cluster, with either engine: a real hub and pool outside it, and servers that are pods."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.clearing import clear
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.planned_lab import ticket_of
from tests.kubernetes.story_lab import Stories, rules, running_story_lab
from tests.real_hub import wait_until

pytestmark = [pytest.mark.kubernetes, pytest.mark.hub]

GPU_1, GPU_4 = ({"project": "vision", "profile": f"gpu-{n}", "hours": 2} for n in (1, 4))
SPEECH = {**GPU_4, "project": "speech"}


@pytest.fixture(scope="module")
def engine_lab(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stories]:
    """One lab for all stories of an engine."""
    with running_story_lab(request.param, cluster, tmp_path_factory.mktemp("stories")) as started:
        yield started


@pytest.fixture
def stories(engine_lab: Stories) -> Iterator[Stories]:
    """The engine's lab; afterwards nothing runs, nobody waits, and Kueue knows of nothing."""
    yield engine_lab
    clear(engine_lab.lab)
    engine_lab.everything_is_free()


with_kueue = pytest.mark.parametrize("engine_lab", ["kueue"], indirect=True)
without_kueue = pytest.mark.parametrize("engine_lab", ["kubernetes"], indirect=True)


@with_kueue
def test_server_that_died_starts_again_within_the_restart_time_with_its_lease_and_workload(stories: Stories):
    before = stories.running("ada", GPU_1)
    name, died = f"ticket-{before.id}", stories.pod_of(before)["metadata"]["uid"]
    uid = stories.queues.workload(name)["metadata"]["uid"]
    (process,) = stories.lab.labs()
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: not stories.lab.is_active("ada"), "the hub's notice of the death")
    assert stories.ticket("ada").lease == before.lease
    assert stories.queues.has(name, "Admitted")

    again = stories.running("ada", GPU_1)
    assert (again.id, again.attempt, again.lease) == (before.id, before.attempt, before.lease)
    assert stories.pod_of(again)["metadata"]["uid"] != died
    (workload,) = stories.workloads().values()
    assert (workload["metadata"]["name"], workload["metadata"]["uid"]) == (name, uid)
    assert stories.queues.has(name, "Admitted")


@with_kueue
def test_lease_without_a_pod_ends_after_the_restart_time_and_its_workload_too(stories: Stories):
    ticket = stories.running("ada", GPU_1)
    stories.lab.write_pool_yaml(rules(stories.engine, restart_minutes=0.05))
    try:
        name = stories.pod_of(ticket)["metadata"]["name"]
        stories.cluster.kubectl("delete", "pod", name, f"--namespace={stories.namespace}", "--grace-period=1")
        stories.ended(ticket, "lost")
    finally:
        stories.lab.write_pool_yaml(rules(stories.engine))
    wait_until(lambda: stories.workloads() == {}, "the end of its Workload")
    wait_until(lambda: not stories.lab.is_active("ada"), "the hub's notice")


@with_kueue
def test_pod_without_a_lease_is_ended_and_no_other(stories: Stories):
    leased = stories.running("ada", GPU_1)
    ours = {"labels": {"labpool/pool": stories.lab.place.pool_id}, "annotations": {"labpool/ticket": "of-nobody"}}
    stories.cluster.apply([stories.foreign("stray", **ours), stories.foreign("bystander")])
    wait_until(lambda: "of-nobody" not in map(ticket_of, stories.pods()), "the end of the stray pod")
    names = {each["metadata"]["name"] for each in stories.pods()}
    assert names == {"bystander", stories.pod_of(leased)["metadata"]["name"]}
    stories.cluster.kubectl("delete", "pod", "bystander", f"--namespace={stories.namespace}", "--grace-period=1")
    assert stories.lab.is_ready("ada")


@without_kueue
def test_borrower_gives_back_with_notice_and_grace_and_is_next_when_the_owner_has_finished(stories: Stories):
    browser = stories.lab.signed_in("olga")
    own, lent = stories.running("ada", GPU_4), stories.running("olga", GPU_4)
    asks = stories.ask("bert", SPEECH)
    assert asks.state == "queued"
    wait_until(lambda: stories.ticket("olga").state == "reclaiming", "the taking back")
    told = stories.ticket("olga")
    assert stories.lab.is_ready("olga")
    assert "These GPUs go back to the project that they belong to" in browser.open(told.path).text
    assert told.notice is not None and told.lease is not None
    assert (told.notice.kind, told.notice.ends_at) == ("taken_back", told.lease.ends)
    assert "Save your work" in told.notice.message

    assert stories.until_used("bert").id == asks.id
    assert {ticket_of(each) for each in stories.pods()} == {own.id, asks.id}
    assert stories.ticket("ada").lease == own.lease
    again = stories.ticket("olga")
    assert (again.id, again.state, again.attempt) == (lent.id, "queued", 2)
    wait_until(lambda: stories.ticket("olga").place == 1, "her place")
    stories.lab.stop_server("bert")
    assert stories.until_used("olga").id == lent.id
