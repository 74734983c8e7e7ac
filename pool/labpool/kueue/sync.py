"""Bringing the cluster's queues to what pool.yaml says: what would change, and then the change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from labpool.cluster import ClusterApi, ClusterRefused, FieldsTaken
from labpool.cluster.nodes import node_of
from labpool.domain.catalogue import Catalogue
from labpool.kueue.differences import changes_between, flattened
from labpool.kueue.leaving import no_longer_wanted
from labpool.kueue.manifests import GROUP_VERSION, Kind, Manifest, Named, manifests, path_of, paths_of
from labpool.kueue.replacing import given_twice
from labpool.kueue.standing import Live, Standing, live_of, workloads_of
from labpool.kueue.steps import Act, Step, Synced
from labpool.kueue.wanted import UnusableFlavours, WantedQueues, wanted_queues
from labpool.settings import ClusterSettings, KueueSettings

_TAKE_BACK = "Take what is there over into pool.yaml, or set pool.yaml's values again with --force."
_ADOPT = "Delete it, or name another kueue.cohort in pool.yaml; --force makes it labpool's."
_WAIT = "Sync again when it is gone; `kubectl describe` says what it waits for."


async def sync_queues(
    api: ClusterApi,
    catalogue: Catalogue,
    cluster: ClusterSettings,
    settings: KueueSettings,
    *,
    dry_run: bool,
    force: bool,
) -> Synced:
    """Make, change and delete queues until they are as pool.yaml says; with `dry_run` only say what that would be.

    Kueue and the API server judge each change before the first is made. Fields that somebody else has set, and objects
    that are somebody else's, stay as they are, unless `force` is set. What is in use is not deleted.

    Raises:
        ClusterUnavailable: no answer; what was done until then stays done, and a second try goes on from there.
        ClusterRefused: Kueue isn't there, we may not, or something is not allowed.
        UnusableFlavours: Kueue can't hold pool.yaml's flavours, or they can't be changed now. Nothing was changed.
    """
    if not await api.serves(GROUP_VERSION):
        raise ClusterRefused(
            f"This cluster has no Kueue that speaks {GROUP_VERSION}. Install Kueue 0.19 or later: "
            "https://kueue.sigs.k8s.io/docs/installation/"
        )
    settings = replace(settings, namespace=settings.namespace or api.namespace)
    standing = await _look(api, settings)
    wanted = wanted_queues(catalogue, cluster, settings, standing.nodes, standing.held())
    return await _brought_about(api, wanted, standing, dry_run, force)


async def _brought_about(
    api: ClusterApi, wanted: WantedQueues, standing: Standing, dry_run: bool, force: bool
) -> Synced:
    made = manifests(wanted)
    steps = {each.named: await _step(api, each, standing.live.get(each.named), force) for each in made}
    leaving = no_longer_wanted(
        made, [step for step in steps.values() if step.act in (Act.CREATE, Act.CHANGE)], standing
    )
    problems = given_twice(wanted, leaving, standing)
    if problems:
        raise UnusableFlavours("\n".join(problems))
    for manifest in made:
        if not dry_run and steps[manifest.named].act in (Act.CREATE, Act.CHANGE):
            await _apply(api, manifest, dry_run=False, force=force)
    for step in leaving:
        if step.act is Act.DELETE:
            await api.delete(path_of(step.named), f"delete {step.named}", dry_run=dry_run)
    told = (step for step in (*steps.values(), *leaving) if step.act is not Act.SAME)
    return Synced(wanted.settings.cohort, wanted.settings.namespace, dry_run, tuple(told), wanted.remarks)


async def _look(api: ClusterApi, settings: KueueSettings) -> Standing:
    live: dict[Named, Live] = {}
    for kind in Kind:
        path = paths_of(kind, settings.namespace if kind is Kind.LOCAL_QUEUE else "")
        for item in await api.list_all(path):
            found = live_of(kind, item, settings.cohort)
            live[found.named] = found
    nodes = [node_of(item) for item in await api.list_all("/api/v1/nodes")]
    workloads = await api.list_all(f"/apis/{GROUP_VERSION}/namespaces/{settings.namespace}/workloads")
    return Standing(live, tuple(nodes), tuple(workloads_of(workloads)))


async def _step(api: ClusterApi, manifest: Manifest, live: Live | None, force: bool) -> Step:
    """What applying a manifest would do, as the server itself says."""
    named = manifest.named
    if live is not None and live.going:
        return Step(Act.GOING, named, said=f"It is being deleted. {_WAIT}")
    holders: dict[str, str] = {}
    try:
        then = await _apply(api, manifest, dry_run=True, force=False)
    except FieldsTaken as taken:
        holders = dict(taken.holders)
        then = await _apply(api, manifest, dry_run=True, force=True)
    changes = tuple(changes_between(live.fields if live else {}, flattened(then), holders))
    if live is None:
        return Step(Act.CREATE, named, changes)
    if not live.ours and not force:
        return Step(Act.FOREIGN, named, changes, f"It is there already, and not labpool's. {_ADOPT}")
    if holders and not force:
        return Step(Act.DRIFTED, named, changes, _TAKE_BACK)
    return Step(Act.CHANGE if changes else Act.SAME, named, changes)


async def _apply(api: ClusterApi, manifest: Manifest, *, dry_run: bool, force: bool) -> Mapping[str, object]:
    path, named = path_of(manifest.named), manifest.named
    return await api.apply(path, manifest.body, f"set {named}", dry_run=dry_run, force=force)
