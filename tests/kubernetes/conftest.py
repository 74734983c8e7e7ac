from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster, running_cluster
from tests.kubernetes.namespaces import make_namespace
from tests.kubernetes.queues import Queues

_numbers = count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One cluster for all tests of this folder: 4 nodes of 8 GPUs, and one without. Leave it as you found it."""
    with running_cluster() as started:
        yield started


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, whose pods are gone when it ends."""
    name = f"test-{next(_numbers)}"
    make_namespace(cluster.api, name, {"labpool": "true"})
    yield name
    cluster.kubectl("delete", "pods", "--all", f"--namespace={name}", "--grace-period=1")
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def queues(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Queues]:
    """Queues of Kueue for the test's namespace, in a cohort of their own; afterwards there are none."""
    made = Queues(cluster, namespace, tmp_path)
    yield made
    cluster.kubectl("delete", "workloads", "--all", f"--namespace={namespace}")
    made.remove()
