"""The line before an API server in memory: what is refused is told and tried again, what has changed meanwhile left.

The real one, with Kueue behind it, is in tests/kubernetes/test_kueue_line.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from labpool.cluster import ClusterApi, ClusterRefused, ClusterUnavailable
from labpool.domain.reasons import WaitReason
from labpool.domain.world import World
from labpool.kueue.line import Line
from labpool.kueue.workload_manifests import Workloads
from labpool.settings import ClusterSettings, KueueSettings

from tests.domain.lab import NINE, catalogue, inventory, lease, running, ticket

Object = Mapping[str, Any]
WORLD = World(inventory({"n1": 2}), catalogue(), (ticket("train"),))
MADE = Workloads("p1", WORLD.catalogue, ClusterSettings(), KueueSettings("lab", namespace="servers"))
LISTED = {
    "metadata": {
        "name": "ticket-train",
        "uid": "u1",
        "resourceVersion": "7",
        "creationTimestamp": "2026-03-02T09:00:00Z",
        "labels": {"labpool/ticket": "train", "labpool/pool": "p1"},
        "annotations": {"labpool/made-of": MADE.made_of(ticket("train"))},
    },
    "spec": {"queueName": "vision", "active": False, "priority": 300},
}


class ApiInMemory:
    """As much of an API server as the line asks of one, without Kueue; queues are synced somewhere else."""

    def __init__(self, *workloads: Object) -> None:
        self.workloads = list(workloads)
        self.asked: list[tuple[str, str, object]] = []
        self.answers: dict[str, tuple[int, Object]] = {}
        self.refuses = ""

    async def list_as_of(self, path: str, chosen: Mapping[str, str]) -> tuple[list[Object], str]:
        return self.workloads, "1"

    async def watch(self, path: str, parameters: Mapping[str, str], seconds: float) -> AsyncIterator[Object]:
        await asyncio.Event().wait()
        yield {}

    async def serves(self, group_version: str) -> bool:
        raise ClusterUnavailable("no queues here")

    async def ask(
        self, method: str, path: str, parameters: object = None, body: object = None, **_: object
    ) -> tuple[int, Object]:
        self.asked.append((method, path.rpartition("/")[2], body))
        return self.answers.get(method, (200, {}))

    async def apply(self, path: str, body: object, what: str, *, force: bool) -> Object:
        if self.refuses:
            raise ClusterRefused(self.refuses)
        self.asked.append(("APPLY", path.rpartition("/")[2], body))
        return {}

    async def delete(self, path: str, what: str, *, options: Object) -> bool:
        self.asked.append(("DELETE", path.rpartition("/")[2], options))
        return True


def seeing(*worlds: World) -> Callable[[], Awaitable[World]]:
    """Looks at one world after the other; the last one stays."""
    left = list(worlds)

    async def look() -> World:
        return left.pop(0) if len(left) > 1 else left[0]

    return look


def played(api: ApiInMemory, story: Callable[[Line], Awaitable[None]]) -> None:
    """Play a story with a line that knows what is there."""

    async def play() -> None:
        settings = (ClusterSettings(), KueueSettings("lab", namespace="servers"))
        line = Line(cast(ClusterApi, api), "p1", lambda: settings, lambda: NINE, lambda: {"gpu-1": "n1"})
        line.begin()
        while not line.verdicts.heard:
            await asyncio.sleep(0.01)
        await story(line)
        await line.close()

    asyncio.run(play())


def test_nothing_is_done_before_it_is_known_what_is_there():
    api = ApiInMemory()
    settings = (ClusterSettings(), KueueSettings("lab", namespace="servers"))
    asyncio.run(Line(cast(ClusterApi, api), "p1", lambda: settings, lambda: NINE).keep(seeing(WORLD)))
    assert api.asked == []


def test_workload_that_is_refused_is_trouble_until_it_is_made():
    api = ApiInMemory()
    api.answers["POST"] = (422, {"message": "spec.podSets: too many"})

    async def story(line: Line) -> None:
        await line.keep(seeing(WORLD))
        assert "too many" in told(line)
        api.answers["POST"] = (201, {})
        await line.keep(seeing(WORLD))
        assert "too many" not in told(line)

    played(api, story)
    assert [method for method, *_ in api.asked] == ["POST", "POST"]


def told(line: Line) -> str:
    """What it has to say beside the queues, which this API server hasn't."""
    trouble = line.trouble or ""
    return "" if "no queues here" in trouble else trouble


@pytest.mark.parametrize(("method", "status"), [("POST", 409), ("PATCH", 409), ("PATCH", 404)])
def test_what_has_changed_meanwhile_is_no_trouble(method: str, status: int):
    api = ApiInMemory(*([LISTED] if method == "PATCH" else []))
    api.answers[method] = (status, {"message": "it has changed"})

    async def story(line: Line) -> None:
        await line.keep(seeing(WORLD))
        assert told(line) == ""

    played(api, story)
    assert method in [asked for asked, *_ in api.asked]


@pytest.mark.parametrize(
    ("labels", "said"), [({}, "no pool's label"), ({"labpool/ticket": "train", "labpool/pool": "p2"}, "the pool p2")]
)
def test_foreign_workload_of_a_tickets_name_is_left_alone_and_told(
    labels: Object, said: str, caplog: pytest.LogCaptureFixture
):
    api = ApiInMemory({**LISTED, "metadata": {**LISTED["metadata"], "labels": labels, "namespace": "servers"}})

    async def story(line: Line) -> None:
        await line.keep(seeing(WORLD))
        await line.keep(seeing(WORLD))
        assert caplog.text.count("ticket-train is there already") == 1
        assert "ticket-train is there already" in told(line)
        assert said in told(line)
        assert line.verdicts.of == {}
        await line.keep(seeing(replace(WORLD, tickets=())))
        assert told(line) == ""

    played(api, story)
    assert api.asked == []


def test_lease_without_a_workload_gets_one_for_its_machine_before_anybody_else(caplog: pytest.LogCaptureFixture):
    api = ApiInMemory()
    held = lease("held", "n1-0", user="bert")
    world = replace(WORLD, tickets=(ticket("train"), running(held)), leases=(held,))

    async def story(line: Line) -> None:
        await line.keep(seeing(world))

    played(api, story)
    bodies = [cast(Any, body) for method, _, body in api.asked if method == "POST"]
    assert [body["metadata"]["name"] for body in bodies] == ["ticket-held", "ticket-train"]
    selectors = [body["spec"]["podSets"][0]["template"]["spec"]["nodeSelector"] for body in bodies]
    assert [each.get("kubernetes.io/hostname") for each in selectors] == ["gpu-1", None]
    assert "a lease had no Workload any more" in caplog.text


def test_ticket_that_is_held_off_is_deactivated_and_told_so():
    spec = {**cast(Object, LISTED["spec"]), "active": True}
    api = ApiInMemory({**LISTED, "spec": spec})
    rules = replace(WORLD.catalogue.queue, placement=WORLD.catalogue.queue.claim)
    world = replace(WORLD, catalogue=replace(WORLD.catalogue, queue=rules))

    async def story(line: Line) -> None:
        await line.keep(seeing(world))
        line.hold_off(["train"])
        await line.keep(seeing(world))
        assert line.verdicts.of["train"].why is WaitReason.NOT_PLACED

    played(api, story)
    change = {"metadata": {"resourceVersion": "7"}, "spec": {"active": False}}
    assert ("PATCH", "ticket-train", change) in api.asked


ADMITTED = [
    {"type": kind, "status": "True", "lastTransitionTime": "2026-03-02T08:00:00Z"}
    for kind in ("QuotaReserved", "Admitted")
]
TOPOLOGY = {"slices": [{"valuesPerLevel": [{"universal": "n1"}]}]}
ITS_TURN = {
    **LISTED,
    "spec": {**LISTED["spec"], "active": True},
    "status": {"conditions": ADMITTED, "admission": {"podSetAssignments": [{"topologyAssignment": TOPOLOGY}]}},
}
HELD = lease("train", "n1-0", user="ada")
GRANTED = replace(WORLD, tickets=(running(HELD),), leases=(HELD,))


def test_turn_that_comes_to_nothing_counts_no_more_before_it_is_given_up():
    api = ApiInMemory(ITS_TURN)

    async def story(line: Line) -> None:
        assert line.verdicts.of["train"].node == "n1"

        async def look() -> World:
            turns.append(line.verdicts.of["train"].node)
            return WORLD

        turns: list[str] = []
        await line.keep(look)
        assert turns[-1] == ""

    played(api, story)
    change = {"metadata": {"resourceVersion": "7"}, "spec": {"active": False}}
    assert ("PATCH", "ticket-train", change) in api.asked


def test_nothing_is_taken_from_who_has_got_a_lease_meanwhile():
    api = ApiInMemory(ITS_TURN)

    async def story(line: Line) -> None:
        await line.keep(seeing(WORLD, WORLD, GRANTED))

    played(api, story)
    assert [method for method, *_ in api.asked if method != "GET"] == []


DELETION = ("DELETE", "ticket-train", {"preconditions": {"uid": "u1"}})


def test_workload_without_a_ticket_is_finished_before_it_is_deleted():
    api = ApiInMemory(LISTED)

    async def story(line: Line) -> None:
        await line.keep(seeing(replace(WORLD, tickets=())))

    played(api, story)
    said, deleted = [each for each in api.asked if each[0] != "GET"]
    assert said[:2] == ("APPLY", "status")
    (condition,) = cast(Any, said[2])["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Finished", "True", "JobFinished")
    assert deleted == DELETION


def test_workload_without_a_ticket_is_deleted_also_where_it_cannot_be_finished():
    api = ApiInMemory(LISTED)
    api.refuses = "you may not"

    async def story(line: Line) -> None:
        await line.keep(seeing(replace(WORLD, tickets=())))

    played(api, story)
    assert [each for each in api.asked if each[0] != "GET"] == [DELETION]
