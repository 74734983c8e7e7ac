"""What `labpool doctor` finds out about the cluster whose nodes hold the pool's GPUs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from labpool.cli.verdicts import Finding, Verdict
from labpool.cluster import ClusterRefused, ClusterUnavailable, connected
from labpool.cluster.quantities import thousandths
from labpool.engines.one_look import look_once
from labpool.settings import PoolFile


def cluster_findings(pool_file: PoolFile) -> Iterator[Finding]:
    """Whether the cluster answers, and what the quotas of the servers' namespace let the pool start."""
    try:
        namespace, quotas = asyncio.run(_quotas(pool_file))
        inventory = asyncio.run(look_once(pool_file))
    except (ClusterUnavailable, ClusterRefused) as error:
        yield Finding("cluster", Verdict.FAILED, str(error), "docs/kubernetes.md has the role that the pool needs.")
        return
    yield Finding("cluster", Verdict.OK, f"it answers; servers run in the namespace {namespace}")
    devices: Counter[str] = Counter()
    for device in inventory.devices:
        devices[pool_file.cluster.flavour(device.flavour).resource] += 1
    for resource, count in devices.items():
        yield quota_finding(namespace, resource, count, quotas)


def quota_finding(namespace: str, resource: str, devices: int, quotas: Iterable[Mapping[str, object]]) -> Finding:
    """How a namespace's ResourceQuotas, as the API gives them, fit what the pool gives out of a resource."""
    bounds = {name: most for quota in quotas for name, most in _bounds(quota, resource)}
    if not bounds:
        said = (
            f"no ResourceQuota of the namespace {namespace} bounds {resource}: what else runs there may take GPUs that "
            f"the pool counts on. One with requests.{resource}: {devices} would be a second fence"
        )
        return Finding("quota", Verdict.OK, said)
    name, most = min(bounds.items(), key=lambda bound: bound[1])
    told = f"the ResourceQuota {name} lets {namespace} use {most} {resource}, and the pool gives out {devices}"
    if most < devices:
        remedy = (
            "The cluster refuses the servers beyond that, and their GPU hours pass. Raise it, or let fewer nodes have "
            "the flavour's node_labels."
        )
        return Finding("quota", Verdict.WARNING, told, remedy)
    return Finding("quota", Verdict.OK, told)


async def _quotas(pool_file: PoolFile) -> tuple[str, list[Mapping[str, object]]]:
    async with connected() as api:
        namespace = pool_file.cluster.namespace or api.namespace
        return namespace, await api.list_all(f"/api/v1/namespaces/{namespace}/resourcequotas")


def _bounds(quota: Mapping[str, object], resource: str) -> Iterator[tuple[str, int]]:
    metadata, spec = quota.get("metadata"), quota.get("spec")
    hard = spec.get("hard") if isinstance(spec, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else ""
    for key, amount in hard.items() if isinstance(hard, Mapping) else ():
        if key == f"requests.{resource}":
            yield str(name), thousandths(str(amount)) // 1000
