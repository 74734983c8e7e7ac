"""Which of our objects may go: those that nothing wants and nothing uses."""

from __future__ import annotations

from collections.abc import Iterable

from labpool.kueue.manifests import Kind, Manifest, Named
from labpool.kueue.standing import HeldWorkload, Standing, needs_of
from labpool.kueue.steps import Act, Step

_LAST_MADE_FIRST = tuple(reversed(Kind))


def no_longer_wanted(made: Iterable[Manifest], applied: Iterable[Step], standing: Standing) -> list[Step]:
    """What to delete and what to keep, in the order in which that can be done.

    Args:
        made: All that is wanted.
        applied: Those that will be as wanted; the others stay as they are.
        standing: What is there.
    """
    wanted = {each.named: each.body for each in made}
    will_be = {step.named for step in applied}
    needs = {named: live.refers for named, live in standing.live.items() if named not in will_be}
    needs |= {named: needs_of(named, wanted[named]) for named in will_be}
    unwanted = [
        each.named for each in standing.live.values() if each.ours and not each.going and each.named not in wanted
    ]
    steps = []
    for named in sorted(unwanted, key=lambda each: _LAST_MADE_FIRST.index(each.kind)):
        steps.append(_step(named, needs, standing))
        if steps[-1].act is Act.DELETE:
            del needs[named]
    return steps


def _step(named: Named, needs: dict[Named, frozenset[Named]], standing: Standing) -> Step:
    users = sorted(str(other) for other, needed in needs.items() if named in needed)
    workloads = sum(named.name in _held_in(named.kind, each) for each in standing.workloads)
    if workloads:
        users.append("a Workload" if workloads == 1 else f"{workloads} Workloads")
    if not users:
        return Step(Act.DELETE, named)
    said = f"pool.yaml doesn't name it any more. In use by {', '.join(users)}."
    return Step(Act.KEPT, named, said=said, users=tuple(users))


def _held_in(kind: Kind, workload: HeldWorkload) -> frozenset[str]:
    """Names of the objects of a kind that a Workload is in or holds."""
    match kind:
        case Kind.LOCAL_QUEUE:
            return frozenset({workload.queue})
        case Kind.CLUSTER_QUEUE:
            return frozenset({workload.cluster_queue})
        case Kind.FLAVOUR:
            return workload.flavours
        case _:
            return frozenset()
