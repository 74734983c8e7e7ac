"""A lab for each module of tests: its servers are tiny, everything else is real."""

from collections.abc import Iterator

import kubespawner.spawner
import pytest

from tests.clearing import clear
from tests.running_lab import RunningLab, running_lab


@pytest.fixture(scope="module")
def module_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        for user in ("ada", "bert", "olga"):
            lab.signed_in(user)
        yield lab


@pytest.fixture
def lab(module_lab: RunningLab) -> Iterator[RunningLab]:
    """The module's lab; afterwards nothing runs and nobody waits."""
    yield module_lab
    clear(module_lab)


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """KubeSpawner reads a kubeconfig even to make a manifest, and here is none."""
    monkeypatch.setattr(kubespawner.spawner, "load_config", lambda **settings: None)
