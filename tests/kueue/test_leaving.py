"""What may go of that which nothing wants any more."""

from __future__ import annotations

from collections.abc import Iterable

from labpool.kueue.leaving import no_longer_wanted
from labpool.kueue.manifests import Kind, Manifest, Named
from labpool.kueue.standing import HeldWorkload, Live, Standing
from labpool.kueue.steps import Act, Step

TOPOLOGY, FLAVOUR, COHORT = Named(Kind.TOPOLOGY, "labpool"), Named(Kind.FLAVOUR, "a100"), Named(Kind.COHORT, "labpool")
QUEUE, LOCAL = Named(Kind.CLUSTER_QUEUE, "labpool-vision"), Named(Kind.LOCAL_QUEUE, "vision", "servers")
ALL = (
    Live(TOPOLOGY),
    Live(FLAVOUR, refers=frozenset({TOPOLOGY})),
    Live(COHORT, refers=frozenset({FLAVOUR})),
    Live(QUEUE, refers=frozenset({FLAVOUR, COHORT})),
    Live(LOCAL, refers=frozenset({QUEUE})),
)


def acts(
    live: Iterable[Live], *workloads: HeldWorkload, made: Iterable[Manifest] = (), applied: Iterable[Step] = ()
) -> dict[Named, Act]:
    standing = Standing({each.named: each for each in live}, workloads=workloads)
    return {step.named: step.act for step in no_longer_wanted(made, applied, standing)}


def test_all_goes_where_nothing_is_in_use_the_last_made_first():
    found = acts(ALL)
    assert list(found) == [LOCAL, QUEUE, COHORT, FLAVOUR, TOPOLOGY]
    assert set(found.values()) == {Act.DELETE}


def test_workload_in_line_keeps_all_that_it_will_need():
    assert set(acts(ALL, HeldWorkload("waits", "vision")).values()) == {Act.KEPT}


def test_admitted_workload_keeps_its_flavour_though_its_queue_has_another():
    found = acts(ALL[:3], HeldWorkload("runs", "elsewhere", flavours=frozenset({"a100"})))
    assert found == {COHORT: Act.DELETE, FLAVOUR: Act.KEPT, TOPOLOGY: Act.KEPT}


def test_admitted_workload_keeps_its_queue_though_somebody_deleted_its_local_queue():
    assert acts(ALL[:4], HeldWorkload("runs", "vision", cluster_queue="labpool-vision"))[QUEUE] is Act.KEPT


def test_flavour_goes_that_a_queue_no_longer_names_once_it_is_set():
    spec = {"resourceGroups": [{"flavors": [{"name": "h100"}]}]}
    made = [Manifest(QUEUE, {"spec": spec}), Manifest(LOCAL, {}), Manifest(COHORT, {}), Manifest(TOPOLOGY, {})]
    without_cohort = [each for each in ALL if each.named is not COHORT]
    assert acts(without_cohort, made=made, applied=[Step(Act.CHANGE, QUEUE)]) == {FLAVOUR: Act.DELETE}
    assert acts(without_cohort, made=made) == {FLAVOUR: Act.KEPT}  # such as where the queue has drifted


def test_what_is_not_ours_or_goes_already_is_left_alone():
    assert acts([Live(FLAVOUR, ours=False), Live(COHORT, going=True)]) == {}
    theirs = Live(Named(Kind.CLUSTER_QUEUE, "theirs"), refers=frozenset({FLAVOUR}), ours=False)
    assert acts([Live(FLAVOUR), theirs]) == {FLAVOUR: Act.KEPT}
