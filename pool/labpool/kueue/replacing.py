"""Whether a flavour can be replaced by another one of the same nodes."""

from __future__ import annotations

from collections.abc import Iterable

from labpool.kueue.manifests import Kind, Named
from labpool.kueue.standing import Live, Standing
from labpool.kueue.steps import Act, Step
from labpool.kueue.wanted import WantedFlavour, WantedQueues


def given_twice(wanted: WantedQueues, leaving: Iterable[Step], standing: Standing) -> list[str]:
    """What would let Kueue give the same devices away twice, in words; empty where all is well.

    It counts what is held by flavour: while an old flavour is in use, its nodes seem free under a new one.
    """
    kept = [step for step in leaving if step.act is Act.KEPT and step.named.kind is Kind.FLAVOUR]
    in_queues = {named for live in standing.live.values() for named in live.refers}
    new = [each for each in wanted.flavours if Named(Kind.FLAVOUR, each.name) not in in_queues]
    return [
        f"flavours.{flavour.flavour} would become another one for Kueue, since its name, resource, node_labels or "
        f"tolerations have changed, and the old one, {step.named}, is in use by {', '.join(step.users)}. Kueue would "
        "give its devices away a second time, so nothing was changed. Let Workloads end first (`labpool drain` keeps "
        "new ones away), set queues again that others have set (--force), or write the old values into pool.yaml."
        for step in kept
        for flavour in new
        if _share_nodes(standing.live[step.named], flavour, standing)
    ]


def _share_nodes(old: Live, flavour: WantedFlavour, standing: Standing) -> bool:
    its_own = [node for node in standing.nodes if node.has(flavour.node_labels) and node.offers(flavour.resource)]
    return any(node.has(old.node_labels) for node in its_own)
