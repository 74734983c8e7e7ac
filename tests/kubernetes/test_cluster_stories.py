"""StoryLab of people on a cluster, with either engine: a real hub and pool outside it, and servers that are pods."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest
from labpool.cli.app import app
from typer.testing import CliRunner

from tests.clearing import clear
from tests.gpuspawner.test_starts import fill_form, open_form, press_start, reason
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fake_nodes import GPU
from tests.kubernetes.planned_lab import ticket_of
from tests.kubernetes.story_lab import GPUS, RECONCILE_SECONDS, StoryLab, rules, running_story_lab
from tests.real_hub import Browser, wait_until

pytestmark = [pytest.mark.kubernetes, pytest.mark.hub]

GPU_1, GPU_4, GPU_8 = ({"project": "vision", "profile": f"gpu-{n}", "hours": 2} for n in (1, 4, 8))
SPEECH = {**GPU_4, "project": "speech"}


@pytest.fixture(scope="module")
def engine_lab(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoryLab]:
    """One lab for all stories of an engine."""
    with running_story_lab(request.param, cluster, tmp_path_factory.mktemp("stories")) as started:
        yield started


@pytest.fixture
def stories(engine_lab: StoryLab) -> Iterator[StoryLab]:
    """The engine's lab; afterwards nothing runs, nobody waits, and Kueue knows of nothing."""
    yield engine_lab
    clear(engine_lab.lab)
    engine_lab.everything_is_free()


with_kueue = pytest.mark.parametrize("engine_lab", ["kueue"], indirect=True)
without_kueue = pytest.mark.parametrize("engine_lab", ["kubernetes"], indirect=True)
with_each_engine = pytest.mark.parametrize("engine_lab", ["kueue", "kubernetes"], indirect=True)


@with_kueue
def test_server_that_died_starts_again_within_the_restart_time_with_its_lease_and_workload(stories: StoryLab):
    before = stories.running("ada", GPU_1)
    name, died = f"ticket-{before.id}", stories.pod_of(before)["metadata"]["uid"]
    uid = stories.queues.workload(name)["metadata"]["uid"]
    (process,) = stories.lab.labs()
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: not stories.lab.is_active("ada"), "the hub's notice of the death")
    wait_until(lambda: not stories.ticket("ada").server_ready, "the pool's notice of it")
    looks_go_on_until = time.monotonic() + 4 * RECONCILE_SECONDS
    while time.monotonic() < looks_go_on_until:
        assert stories.ticket("ada").lease == before.lease
    assert stories.queues.has(name, "Admitted")

    again = stories.running("ada", GPU_1)
    assert (again.id, again.attempt, again.lease) == (before.id, before.attempt, before.lease)
    assert stories.pod_of(again)["metadata"]["uid"] != died
    (workload,) = stories.workloads().values()
    assert (workload["metadata"]["name"], workload["metadata"]["uid"]) == (name, uid)
    assert stories.queues.has(name, "Admitted")


@with_kueue
def test_lease_without_a_pod_ends_after_the_restart_time_and_its_workload_too(stories: StoryLab):
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
def test_pod_without_a_lease_is_ended_and_no_other(stories: StoryLab):
    leased = stories.running("ada", GPU_1)
    ours = {"labels": {"labpool/pool": stories.lab.place.pool_id}, "annotations": {"labpool/ticket": "of-nobody"}}
    stories.cluster.apply([stories.foreign("stray", **ours), stories.foreign("bystander")])
    wait_until(lambda: "of-nobody" not in map(ticket_of, stories.pods()), "the end of the stray pod")
    names = {each["metadata"]["name"] for each in stories.pods()}
    assert names == {"bystander", stories.pod_of(leased)["metadata"]["name"]}
    stories.cluster.kubectl("delete", "pod", "bystander", f"--namespace={stories.namespace}", "--grace-period=1")
    assert stories.lab.is_ready("ada")


@without_kueue
def test_borrower_gives_back_with_notice_and_grace_and_is_next_when_the_owner_has_finished(stories: StoryLab):
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


OVER = "one user may hold 4 GPUs at once"
WAITS = "you may hold 4 GPUs at once"


@with_each_engine
def test_no_way_in_leads_past_the_limit_and_each_says_so(stories: StoryLab):
    lab, browser = stories.lab, stories.lab.signed_in("ada")
    token = {"Authorization": f"token {lab.token_for('ada')}"}

    def by_token(server: str, options: object) -> httpx.Response:
        address = f"{lab.ports.hub_api_url}/users/ada/{server}"
        return httpx.post(address, json=options, headers=token, timeout=60, trust_env=False)

    picked = fill_form(browser, "ada/picked", GPU_4)
    assert picked.status_code in {302, 303}, picked.text  # to the page of its start, or of its ticket
    lab.wait_ready("ada", "picked")
    held = stories.ticket("ada", "picked")

    refused = fill_form(browser, "ada/formed", GPU_8)
    wait_until(lambda: OVER in led_to(browser, refused), "the refusal of what is beyond the limit")
    formed = fill_form(browser, "ada/formed", GPU_4)
    wait_until(partial(waits_for_limit, stories, "formed"), "the ticket of what was asked for in the form")
    wait_until(lambda: stories.ticket("ada", "formed").path in led_to(browser, formed), "the way to its page")
    lab.api("PATCH", "/users/ada/server", {"user_options": GPU_4}).raise_for_status()
    answers = [
        by_token("servers/called", {"user_options": GPU_4}),
        by_token("server", None),
        lab.start_server("ada", GPU_4, "by-admin"),
    ]
    lab.api("PATCH", "/users/ada/server", {"user_options": {}}).raise_for_status()
    assert [(each.status_code, reason(each)) for each in answers] == [(503, "waiting_for_gpu")] * 3
    for each in (by_token("servers/more", {"user_options": GPU_8}), lab.start_server("ada", GPU_8, "more")):
        assert (each.status_code, reason(each), OVER in each.text) == (422, "over_user_limit", True)

    waiting = ("", "by-admin", "called", "formed")
    for name in waiting:
        wait_until(partial(waits_for_limit, stories, name), f"the reason of {name!r}")
        assert WAITS in browser.open(stories.ticket("ada", name).path).text
    assert (list(lab.leased()), stories.gpus_of_pods()) == ([held.id], 4)

    lab.stop_server("ada", "picked")
    wait_until(lambda: any(lab.is_ready("ada", name) for name in waiting), "the turn of one of them", 60)
    wait_until(lambda: sum(waits_for_limit(stories, name) for name in waiting) == 3, "the wait of the others")
    assert (len(lab.leased()), stories.gpus_of_pods()) == (1, 4)


def led_to(browser: Browser, answer: httpx.Response) -> str:
    """What a sent form leads to: an address at once, or the page that shows how the start goes on or why there is none.

    The hub waits a second for the answer to a form; then its page of the start leads on.
    """
    where = answer.headers.get("Location", "")
    return str(browser.open(where).text if where.startswith("/hub/") else where or answer.text)


def waits_for_limit(stories: StoryLab, name: str) -> bool:
    """Whether a server of ada's waits because of her limit, and says so."""
    ticket = stories.lab.ticket("ada", name)
    wait = ticket.wait if ticket else None
    return wait is not None and wait.reason == "own_limit" and WAITS in wait.message


@with_each_engine
def test_two_tabs_that_start_two_servers_at_once_share_the_limit(stories: StoryLab):
    names = ("train", "tune")
    browsers = [stories.lab.signed_in("ada") for _ in names]
    pages = zip(browsers, names, strict=True)
    tabs = [(browser, open_form(browser, f"ada/{name}"), GPU_4) for browser, name in pages]
    with ThreadPoolExecutor() as people:
        answers = [each.status_code for each in people.map(lambda tab: press_start(*tab), tabs)]
    assert set(answers) <= {302, 303}, answers
    wait_until(lambda: any(waits_for_limit(stories, name) for name in names), "the reason of one")
    (starts,) = [name for name in names if not waits_for_limit(stories, name)]
    stories.lab.wait_ready("ada", starts)
    assert (len(stories.lab.leased()), stories.gpus_of_pods()) == (1, 4)
    assert list(stories.lab.servers("ada")) == [starts]


@without_kueue
def test_resource_quota_is_a_second_fence_that_the_doctor_reads(stories: StoryLab):
    say_quota(stories, GPUS)
    try:
        stories.running("ada", GPU_4)
        stories.running("bert", SPEECH)
        with pytest.raises(AssertionError, match="exceeded quota: fence"):
            stories.cluster.apply([stories.foreign("beyond", gpus=1)])
        verdict, said = doctors_word(stories)
        assert (verdict, f"the ResourceQuota fence lets {stories.namespace} use 8 {GPU}" in said) == ("ok", True), said
        say_quota(stories, 6)
        verdict, said = doctors_word(stories)
        assert verdict == "warning"
        assert f"use 6 {GPU}, and the pool gives out 8" in said
    finally:
        stories.cluster.kubectl("delete", "resourcequota", "fence", f"--namespace={stories.namespace}")


def say_quota(stories: StoryLab, gpus: int) -> None:
    metadata = {"name": "fence", "namespace": stories.namespace}
    spec = {"hard": {f"requests.{GPU}": str(gpus)}}
    stories.cluster.apply([{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}])


def doctors_word(stories: StoryLab) -> tuple[str, str]:
    """What `labpool doctor` says of the quota."""
    result = CliRunner().invoke(app, ["doctor", "--json"], env=stories.lab.environment)
    (found,) = [each for each in json.loads(result.stdout) if each["name"] == "quota"]
    return found["verdict"], found["said"]
