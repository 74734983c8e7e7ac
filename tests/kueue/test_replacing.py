"""When a flavour may be replaced by another one of the same nodes."""

from __future__ import annotations

import pytest
from labpool.cluster.nodes import NodeOffer
from labpool.kueue.manifests import Kind, Named
from labpool.kueue.replacing import given_twice
from labpool.kueue.standing import Live, Standing
from labpool.kueue.steps import Act, Step
from labpool.kueue.wanted import WantedFlavour, WantedQueues
from labpool.settings import KueueSettings

OLD, NEW = Named(Kind.FLAVOUR, "labpool-a100-000000"), Named(Kind.FLAVOUR, "labpool-a100-111111")
QUEUE = Named(Kind.CLUSTER_QUEUE, "labpool-vision")
NODE = NodeOffer("one", {"kind": "A100", "room": "1"}, {"nvidia.com/gpu": 8000})


def problems(*live: Live, act: Act = Act.KEPT, resource: str = "nvidia.com/gpu") -> list[str]:
    flavour = WantedFlavour(NEW.name, "a100", resource, {"kind": "A100"}, ())
    standing = Standing({each.named: each for each in live}, (NODE,))
    return given_twice(WantedQueues(KueueSettings(), (flavour,)), [Step(act, OLD, users=("a Workload",))], standing)


def test_new_flavour_waits_for_the_old_one_of_its_nodes():
    (problem,) = problems(Live(OLD, node_labels={"room": "1"}), Live(NEW))
    assert problem.startswith("flavours.a100 would become another one for Kueue")
    assert f"{OLD}, is in use by a Workload" in problem


@pytest.mark.parametrize(
    ("live", "options"),
    [
        ([Live(OLD, node_labels={"room": "1"})], {"act": Act.DELETE}),
        ([Live(OLD, node_labels={"room": "2"})], {}),
        ([Live(OLD, node_labels={"room": "1"})], {"resource": "google.com/tpu"}),
        ([Live(OLD, node_labels={"room": "1"}), Live(QUEUE, refers=frozenset({NEW}))], {}),
    ],
    ids=["not in use", "of other nodes", "of another device", "begun before"],
)
def test_all_is_well_where_the_old_one_is(live: list[Live], options: dict[str, object]):
    assert problems(*live, **options) == []  # type: ignore[arg-type]
