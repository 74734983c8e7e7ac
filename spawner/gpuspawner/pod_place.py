"""Where a pod runs: on the node of its lease, or for one without devices wherever the configuration lets it."""

from __future__ import annotations

from collections.abc import Iterable

from kubernetes_asyncio.client.models import (
    V1Affinity,
    V1NodeAffinity,
    V1NodeSelector,
    V1NodeSelectorRequirement,
    V1NodeSelectorTerm,
    V1PodSpec,
    V1Toleration,
)
from labpool.settings import Toleration

from gpuspawner.pod_plan import Devices, PodPlan

_EXISTS, _EQUAL = "Exists", "Equal"


def place(spec: V1PodSpec, plan: PodPlan) -> None:
    """Let a pod run where its lease is, and there alone.

    The pool has chosen the node, so what the configuration wants of nodes could only keep the pod from it; that holds
    for pods without devices alone.
    """
    own = plan.devices.tolerations if plan.devices else ()
    kept = [each for each in spec.tolerations or () if not _opens(each, plan.device_taints)]
    spec.tolerations = [*kept, *(_toleration(each) for each in own)]
    if plan.devices:
        spec.node_selector = dict(plan.devices.node_labels)
        spec.affinity = _pinned(plan.devices)
        spec.topology_spread_constraints = []


def _opens(given: V1Toleration, taints: Iterable[Toleration]) -> bool:
    """Whether a toleration lets a pod onto nodes with devices: it fits one of the taints that keep others away."""
    return any(_fits(given, taint) for taint in taints)


def _fits(given: V1Toleration, taint: Toleration) -> bool:
    # pool.yaml may leave open which value or effect a taint has, and operators of later versions compare otherwise
    any_value = (given.operator or _EQUAL) != _EQUAL or not taint.value
    return (
        (given.key == taint.key or not given.key)  # one without a key tolerates everything
        and (any_value or (given.value or "") == taint.value)
        and (not given.effect or not taint.effect or given.effect == taint.effect)
    )


def _toleration(each: Toleration) -> V1Toleration:
    return V1Toleration(
        key=each.key,
        operator=_EQUAL if each.value else _EXISTS,
        value=each.value or None,
        effect=each.effect or None,
    )


def _pinned(devices: Devices) -> V1Affinity:
    here = V1NodeSelectorRequirement(key="metadata.name", operator="In", values=[devices.node])
    selector = V1NodeSelector(node_selector_terms=[V1NodeSelectorTerm(match_fields=[here])])
    return V1Affinity(node_affinity=V1NodeAffinity(required_during_scheduling_ignored_during_execution=selector))
