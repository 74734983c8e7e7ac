"""Which queues a pool.yaml comes to: nothing is lost, nothing is there twice, and no two things have one name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labpool.cluster.nodes import NodeOffer
from labpool.domain.catalogue import Catalogue, Flavour, Limits, Project, UserLimit
from labpool.kueue.manifests import Kind, manifests
from labpool.kueue.wanted import Share, UnusableFlavours, WantedQueues, wanted_queues
from labpool.settings import ClusterSettings, FlavourOnNodes, KueueSettings, ProjectQuota, Toleration

GPU, SLICE, KIND = "nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "nvidia.com/gpu.product"
SETTINGS = KueueSettings(namespace="servers")
CLUSTER = ClusterSettings(
    flavours={
        "a100": FlavourOnNodes(node_labels={KIND: "A100"}),
        "h100": FlavourOnNodes(node_labels={KIND: "H100"}),
        "slice": FlavourOnNodes(resource=SLICE),
    }
)
NODES = (
    NodeOffer("one", {KIND: "A100"}, {"cpu": 64_000, "memory": 2**39 * 1000, GPU: 8_000}),
    NodeOffer("two", {KIND: "A100"}, {"cpu": 32_500, "memory": 2**38 * 1000, GPU: 4_000}),
    NodeOffer("three", {KIND: "H100"}, {"cpu": 128_000, "memory": 2**40 * 1000, GPU: 8_000}),
    NodeOffer("four", {"kubernetes.io/os": "linux"}, {"cpu": 16_000, "memory": 2**36 * 1000, SLICE: 7_000}),
    NodeOffer("five", {"kubernetes.io/os": "linux"}, {"cpu": 16_000, "memory": 2**36 * 1000}),
)
DEVICES = {"a100": 12, "h100": 8, "slice": 7}
RESOURCES = {"a100": GPU, "h100": GPU, "slice": SLICE}
DNS = re.compile(r"^[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?$")


def catalogue(*projects: Project) -> Catalogue:
    flavours = {name: Flavour(name, name) for name in CLUSTER.flavours}
    return Catalogue(flavours, {}, {each.name: each for each in projects}, Limits(UserLimit(4, 3, 8)))


def wanted(
    *projects: Project, held: Mapping[str, frozenset[str]] | None = None, cluster: ClusterSettings = CLUSTER
) -> WantedQueues:
    return wanted_queues(catalogue(*projects), cluster, SETTINGS, NODES, held or {})


def shares(found: WantedQueues, project: str, flavour: str) -> Mapping[str, Share]:
    (queue,) = [each for each in found.queues if each.project == project]
    (name,) = [each.name for each in found.flavours if each.flavour == flavour]
    (mine,) = [each.shares for each in queue.flavours if each.flavour == name]
    return mine


@st.composite
def projects(draw: st.DrawFn) -> list[Project]:
    names = draw(st.lists(st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?\Z"), unique=True, max_size=5))
    counts = st.dictionaries(st.sampled_from(sorted(DEVICES)), st.integers(0, 12))
    made = []
    for name in names:
        nominal = draw(counts)
        lend = draw(counts)
        made.append(Project(name, name, nominal=nominal, borrow=draw(counts), lend=lend))
    return made


@given(projects())
def test_each_device_of_pool_yaml_is_in_one_queue_and_the_rest_is_for_all(given_projects: list[Project]):
    found = wanted(*given_projects)
    for flavour in found.flavours:
        own = [
            part.shares[flavour.resource].nominal
            for queue in found.queues
            for part in queue.flavours
            if part.flavour == flavour.name
        ]
        written = sum(project.nominal.get(flavour.flavour, 0) for project in given_projects)
        (unowned,) = [each.shares[flavour.resource] for each in found.unowned if each.flavour == flavour.name]
        assert sum(own) == written * 1000
        assert unowned.nominal == max(DEVICES[flavour.flavour] - written, 0) * 1000


@given(projects())
def test_queues_are_whole_as_kueue_wants_them(given_projects: list[Project]):
    found = wanted(*given_projects)
    assert {queue.project for queue in found.queues} == {
        project.name for project in given_projects if any(map(project.most_at_once, DEVICES))
    }
    for queue in found.queues:
        assert queue.flavours
        covered = {tuple(each.shares) for each in queue.flavours}
        assert len(covered) == 1
        for part, resource in product(queue.flavours, covered.pop()):
            share = part.shares[resource]
            assert share.lend is None or share.lend <= share.nominal


@given(projects())
def test_no_two_objects_have_one_name(given_projects: list[Project]):
    made = manifests(wanted(*given_projects))
    assert len({each.named for each in made}) == len(made)
    assert all(DNS.match(each.named.name) for each in made)
    assert bool(made) == any(project.most_at_once(flavour) for project in given_projects for flavour in DEVICES)


def test_devices_are_shared_out_as_pool_yaml_says():
    vision = Project("vision", "Vision", nominal={"a100": 8}, borrow={"a100": 4, "h100": 2}, lend={"a100": 3})
    found = wanted(vision)
    assert shares(found, "vision", "a100")[GPU] == Share(8000, borrow=4000, lend=3000)
    assert shares(found, "vision", "h100")[GPU] == Share(0, borrow=2000, lend=None)
    assert [each.weight for each in found.queues] == [8000]


def test_queue_is_written_with_its_weight_and_what_it_borrows_and_lends():
    vision = Project("vision", "V", nominal={"a100": 8}, borrow={"a100": 4, "h100": 2}, lend={"a100": 3}, weight=2.5)
    spec = written(wanted(vision))
    (group,) = spec["resourceGroups"]
    quotas = [each for flavour in group["flavors"] for each in flavour["resources"] if each["name"] in {"memory", GPU}]
    assert spec["fairSharing"] == {"weight": "2500m"}
    assert group["coveredResources"] == ["cpu", "memory", "ephemeral-storage", GPU]
    assert quotas == [
        {"name": "memory", "nominalQuota": "768Gi", "borrowingLimit": "0", "lendingLimit": "0"},
        {"name": GPU, "nominalQuota": "8", "borrowingLimit": "4", "lendingLimit": "3"},
        {"name": "memory", "nominalQuota": "1Ti", "borrowingLimit": "0", "lendingLimit": "0"},
        {"name": GPU, "nominalQuota": "0", "borrowingLimit": "2"},
    ]


@pytest.mark.parametrize("queueing", ["StrictFIFO", "BestEffortFIFO"])
def test_queue_is_run_as_pool_yaml_says(queueing: str):
    vision = Project("vision", "V", nominal={"a100": 1})
    settings = replace(SETTINGS, queueing=queueing)
    found = wanted_queues(catalogue(vision), CLUSTER, settings, NODES, {})
    assert written(found)["queueingStrategy"] == queueing


def written(found: WantedQueues) -> Mapping[str, Any]:
    """The spec of the only ClusterQueue."""
    (spec,) = [each.body["spec"] for each in manifests(found) if each.named.kind is Kind.CLUSTER_QUEUE]
    return cast(Mapping[str, Any], spec)


def test_cpu_and_memory_are_those_of_the_flavours_nodes_and_nobody_borrows_any():
    found = wanted(Project("vision", "Vision", nominal={"a100": 8, "slice": 1}))
    assert shares(found, "vision", "a100")["cpu"] == Share(96_500, 0, 0)
    assert shares(found, "vision", "a100")["memory"] == Share((2**39 + 2**38) * 1000, 0, 0)
    assert shares(found, "vision", "slice")["cpu"] == Share(16_000, 0, 0)
    assert shares(found, "vision", "slice")[GPU] == Share(0, 0, 0)


def test_quota_that_pool_yaml_names_beats_the_nodes():
    settings = replace(SETTINGS, quotas={"vision": ProjectQuota(cpu={"a100": 10.5}, memory_gib={"a100": 0.3})})
    found = wanted_queues(catalogue(Project("vision", "V", nominal={"a100": 8})), CLUSTER, settings, NODES, {})
    assert shares(found, "vision", "a100")["cpu"] == Share(10_500, 0, 0)
    assert shares(found, "vision", "a100")["memory"] == Share(307 * 2**20 * 1000, 0, 0)


def test_flavour_that_is_held_stays_in_its_queue_with_nothing_of_its_own():
    vision, speech = Project("vision", "V", nominal={"a100": 8}), Project("speech", "S", nominal={"h100": 8})
    (held,) = [each.name for each in wanted(vision, speech).flavours if each.flavour == "a100"]
    found = wanted(vision, speech, held={"speech": frozenset({held, "labpool-old-123456"})})
    assert shares(found, "speech", "a100")[GPU] == Share(0, 0, None)


def test_flavour_has_another_name_as_soon_as_it_is_another():
    tolerated = FlavourOnNodes(node_labels={KIND: "A100"}, tolerations=(Toleration("maintenance"),))
    vision = Project("vision", "V", nominal={"a100": 8})
    names = [
        wanted(vision, cluster=cluster).flavours[0].name
        for cluster in (CLUSTER, CLUSTER, ClusterSettings(flavours={"a100": tolerated}))
    ]
    assert names[0] == names[1] != names[2]
    assert all(re.fullmatch(r"labpool-a100-[0-9a-f]{6}", name) for name in names)


def test_flavours_that_kueue_could_not_tell_apart_are_refused():
    alike = ClusterSettings(flavours={"a100": FlavourOnNodes(), "h100": FlavourOnNodes(node_labels={KIND: "H100"})})
    with pytest.raises(
        UnusableFlavours, match=r"flavours\.a100 and flavours\.h100 are both nvidia\.com/gpu.*Give a100"
    ):
        wanted(Project("vision", "V", nominal={"a100": 1, "h100": 1}), cluster=alike)


def test_more_labels_than_kueue_takes_are_refused():
    many = ClusterSettings(flavours={"a100": FlavourOnNodes(node_labels={f"label-{n}": "x" for n in range(9)})})
    with pytest.raises(UnusableFlavours, match=r"flavours\.a100\.node_labels: 9, and Kueue takes 8 at most"):
        wanted(Project("vision", "V", nominal={"a100": 1}), cluster=many)


def test_what_will_surprise_is_remarked():
    empty = replace(CLUSTER, flavours={**CLUSTER.flavours, "h100": FlavourOnNodes(node_labels={KIND: "B200"})})
    found = wanted(Project("vision", "V", nominal={"a100": 13}, borrow={"h100": 1}), cluster=empty)
    assert found.remarks == (
        "nominal of a100 sums to 13, and the nodes have 12.",
        "No node has h100: its resource or node_labels in pool.yaml fit none.",
    )


def test_taint_of_any_value_and_of_one_are_written_as_kueue_takes_them():
    tolerations = (Toleration("a"), Toleration("b", "v", "NoSchedule"))
    cluster = ClusterSettings(flavours={"a100": FlavourOnNodes(node_labels={KIND: "A100"}, tolerations=tolerations)})
    made = manifests(wanted(Project("vision", "V", nominal={"a100": 1}), cluster=cluster))
    (flavour,) = [each.body["spec"] for each in made if each.named.kind is Kind.FLAVOUR]
    assert flavour == {
        "nodeLabels": {KIND: "A100"},
        "topologyName": "labpool",
        "tolerations": [
            {"key": "a", "operator": "Exists"},
            {"key": "b", "operator": "Equal", "value": "v", "effect": "NoSchedule"},
        ],
    }
