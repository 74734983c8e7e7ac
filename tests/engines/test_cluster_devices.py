"""What a cluster's nodes, pods and leases come to as devices."""

from __future__ import annotations

from dataclasses import replace

import pytest
from labpool.cluster.nodes import NodeOffer, Taint
from labpool.domain.inventory import Condition, Inventory
from labpool.engines import Trespasser
from labpool.engines.cluster.devices import ClusterView, inventory_of, trespassers_of
from labpool.settings import FlavourOnNodes, Toleration

from tests.engines.cluster_parts import A100, GPU, LABELS, MIG, NOW, lease, node, pod, view


def ids(inventory: Inventory) -> list[str]:
    return [device.id for device in inventory.devices]


def withheld(found: ClusterView, *leases: object) -> dict[str, str]:
    return dict(inventory_of(found, leases).withheld)  # type: ignore[arg-type]


def test_node_offers_a_device_for_each_of_the_resource():
    inventory = inventory_of(view((node(gpus=2),), memory_gib={"a100": 80.0}), ())
    assert ids(inventory) == ["n1/a100/0", "n1/a100/1"]
    first = inventory.devices[0]
    assert (first.flavour, first.node, first.index, first.memory_gib, first.simulated) == ("a100", "n1", 0, 80.0, False)
    assert inventory.nodes[0].condition is Condition.SERVING


def test_nodes_without_the_labels_or_the_resource_are_no_part_of_the_pool():
    other = node("other", labels={"kubernetes.io/os": "linux", "card": "t4"})
    assert inventory_of(view((other, node("cpu", gpus=0))), ()) == Inventory()


def test_resource_that_two_flavours_name_is_the_first_ones():
    flavours = {"a100": A100, "any": FlavourOnNodes(), "slice": FlavourOnNodes(MIG)}
    mixed = node(gpus=1, allocatable={GPU: 1000, MIG: 2000})
    plain = node("n2", gpus=1, labels={"kubernetes.io/os": "linux"})
    assert ids(inventory_of(view((mixed, plain), flavours=flavours), ())) == [
        "n1/a100/0",
        "n1/slice/0",
        "n1/slice/1",
        "n2/any/0",
    ]


def test_devices_that_others_pods_use_are_withheld_from_the_last_one():
    found = view((node(),), (pod("train", 2), pod("idle", 0), pod("elsewhere", 1, on="n2")))
    why = "The pod other/train uses GPUs of its machine without a lease of the pool."
    assert withheld(found) == {"n1/a100/2": why, "n1/a100/3": why}


def test_leased_devices_are_passed_over_when_others_use_is_withheld():
    found = view((node(),), (pod("train", 1), pod("ours", 2, ticket="t1")))
    assert list(withheld(found, lease("t1", "n1/a100/2", "n1/a100/3"))) == ["n1/a100/1"]


def test_lease_whose_server_is_not_there_yet_has_its_devices_all_the_same():
    assert withheld(view((node(),)), lease("t1", "n1/a100/0")) == {}


def test_server_without_a_lease_withholds_what_it_uses_where_leases_are_known():
    found = view((node(),), (pod("ours", 1, ticket="t1"),))
    assert list(withheld(found)) == ["n1/a100/3"]
    assert inventory_of(found, None).withheld == ()


def test_server_of_another_pool_or_namespace_is_nobody_s_here():
    ours = pod("ours", 1, ticket="t1")
    held = lease("t1", "n1/a100/0")
    for stranger in (replace(ours, pool="p2"), replace(ours, namespace="elsewhere")):
        assert list(withheld(view((node(),), (stranger,)), held)) == ["n1/a100/3"]


def test_more_use_than_devices_withholds_all_that_is_free_and_no_more():
    assert len(withheld(view((node(),), (pod("train", 9),)), lease("t1", "n1/a100/0"))) == 3


def test_many_pods_are_named_as_three_and_a_number():
    pods = tuple(pod(f"train-{n}", 1) for n in range(5))
    reasons = set(withheld(view((node(gpus=8),), pods)).values())
    assert reasons == {
        "The pods other/train-0, other/train-1, other/train-2 and 2 more use GPUs of its machine without a lease of "
        "the pool."
    }


def test_device_that_its_node_no_longer_offers_stays_while_it_is_leased():
    found = view((node(gpus=1),))
    inventory = inventory_of(found, (lease("t1", "n1/a100/3"),))
    assert ids(inventory) == [f"n1/a100/{index}" for index in range(4)]
    assert dict(inventory.withheld) == {
        f"n1/a100/{index}": "Its machine doesn't offer it any more." for index in (0, 1, 2)
    }
    assert ids(inventory_of(found, ())) == ["n1/a100/0"]


@pytest.mark.parametrize(
    ("offer", "condition"),
    [
        (node(), Condition.SERVING),
        (node(closed=True), Condition.DRAINED),
        (node(ready=False, since=NOW), Condition.SILENT),
        (node(ready=False, closed=True, since=NOW), Condition.SILENT),
    ],
)
def test_node_stands_as_the_cluster_says(offer: NodeOffer, condition: Condition):
    (found,) = inventory_of(view((offer,)), ()).nodes
    assert found.condition is condition
    assert found.since == (NOW if condition is Condition.SILENT else None)


def test_node_that_is_gone_has_failed_with_the_devices_that_are_leased_there():
    gone = lease("t1", "n9/a100/0", "n9/a100/1")
    inventory = inventory_of(view((node(),), gone={"n9": NOW}), (gone,))
    assert set(inventory.lost) == {"n9/a100/0", "n9/a100/1"}
    lost = inventory.lost_node(gone.devices)
    assert lost is not None and (lost.condition, lost.since) == (Condition.FAILED, NOW)
    assert {each.name for each in inventory_of(view((node(),)), ()).nodes} == {"n1"}


def test_devices_of_an_engine_before_are_no_node_s():
    assert ids(inventory_of(view((node(gpus=1),)), (lease("t1", "GPU-4711", "sim:demo:a100:0"),))) == ["n1/a100/0"]


def test_taint_that_servers_do_not_tolerate_withholds_what_is_free():
    tainted = node(gpus=2, taints=(Taint("lab/service", "", "NoSchedule"),))
    why = "Its machine has the taint lab/service, which servers of this kind don't tolerate."
    assert withheld(view((tainted,)), lease("t1", "n1/a100/0")) == {"n1/a100/1": why}
    tolerant = {"a100": replace(A100, tolerations=(Toleration("lab/service"),))}
    assert withheld(view((tainted,), flavours=tolerant)) == {}


def test_taint_of_a_cordon_is_no_second_reason():
    cordoned = node(closed=True, taints=(Taint("node.kubernetes.io/unschedulable", "", "NoSchedule"),))
    assert withheld(view((cordoned,))) == {}


def test_node_that_is_kept_free_grants_nothing_and_takes_nothing_away():
    found = view((node(gpus=2), node("n2", gpus=1)), kept_free={"n1": "Tried again soon."})
    assert withheld(found, lease("t1", "n1/a100/0")) == {"n1/a100/1": "Tried again soon."}


def test_cpu_and_memory_are_what_daemons_leave_and_others_use_counts_for_now():
    pods = (
        pod("exporter", lasting=True),
        pod("train", 1),
        pod("ours", 1, ticket="t1"),
        pod("elsewhere", on="n2"),
    )
    (found,) = inventory_of(view((node(),), pods), (lease("t1", "n1/a100/0"),)).nodes
    assert (found.cpu, found.memory_gib) == (62.0, 504.0)
    assert (found.cpu_taken, found.memory_gib_taken) == (2.0, 8.0)


def test_others_pods_trespass_where_a_lease_has_no_server_yet():
    held = (lease("t1", "n1/a100/0", "n1/a100/1"), lease("t2", "n1/a100/2"))
    there = pod("ours", 2, ticket="t1")
    assert tuple(trespassers_of(view((node(),), (there, pod("train", 1))), held)) == ()
    assert tuple(trespassers_of(view((node(),), (there, pod("train", 2))), held)) == (
        Trespasser("n1/a100/2", None, "train", "other", None, "t2"),
    )
    served = (there, pod("two", 1, ticket="t2"), pod("train", 2))
    assert tuple(trespassers_of(view((node(),), served), held)) == ()


def test_node_labels_of_no_flavour_fit_every_linux_node():
    plain = {"a100": FlavourOnNodes()}
    assert ids(inventory_of(view((node(gpus=1, labels=LABELS),), flavours=plain), ())) == ["n1/a100/0"]
