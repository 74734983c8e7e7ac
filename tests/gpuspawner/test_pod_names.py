"""Servers and users of any name: each has a pod of its own, and the name gets nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.gpuspawner.pods import manifest, pod_spawner
from tests.gpuspawner.test_pod_bounds import CHART, hardened, traits_of
from tests.gpuspawner.test_pod_manifest import environment, mounts, notebook

pytestmark = pytest.mark.usefixtures("no_cluster")

NAMES = (
    "",
    "x",
    "train",
    "Train",
    "a--b",
    "-",
    "ü",
    "a/../b",
    "{pod_name}",
    "$(JUPYTERHUB_API_TOKEN)",
    "a\nb",
    "y" * 200,
)
DNS_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
EXAMPLES = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
# a slash or a null byte in it is refused: it can be no folder's
USERS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pool")


async def test_pods_of_different_servers_have_different_names(folder: Path):
    servers = [(user, name) for user in ("ada", "bert", "ada--x", "ada-x", "Ada") for name in NAMES]
    pods = {pod_spawner(folder, user, server=name).pod_name for user, name in servers}
    assert len(pods) == len(servers)
    assert all(DNS_LABEL.fullmatch(pod) for pod in pods)


@pytest.mark.parametrize("server", NAMES)
async def test_name_of_a_server_changes_its_pods_name_and_what_tells_of_it_alone(folder: Path, server: str):
    named, unnamed = pod_spawner(folder, server=server, **CHART), pod_spawner(folder, **CHART)
    pod, other = await manifest(named, "whole"), await manifest(unnamed, "whole")
    assert mounts(pod) == mounts(other)  # one home
    assert notebook(pod)["resources"] == notebook(other)["resources"]
    assert all(LABEL.fullmatch(value) for value in pod["metadata"]["labels"].values())
    differ = {name for name, value in environment(pod).items() if environment(other).get(name) != value}
    assert all(name.startswith("JUPYTERHUB_") for name in differ)
    for each in (pod, other):
        del each["metadata"]
        each["spec"]["containers"][0].pop("env")
    assert pod == other


@EXAMPLES
@given(user=USERS, server=st.text(max_size=40), profile=st.sampled_from(["cpu", "whole"]))
@example(user="{pod_name}", server="{unescaped_username}", profile="whole")
@example(user="$(HOME)", server='"}]}', profile="cpu")
async def test_any_name_makes_a_pod_within_its_bounds(folder: Path, user: str, server: str, profile: str):
    if user in {".", ".."}:
        return
    spawner = pod_spawner(folder, user, server=server)
    before = traits_of(spawner)
    pod = await manifest(spawner, profile)
    hardened(pod)
    assert DNS_LABEL.fullmatch(pod["metadata"]["name"])
    assert all(LABEL.fullmatch(value) for value in pod["metadata"]["labels"].values())
    assert mounts(pod)["/logs/vision"] == ("logs", f"{user}/vision", False)
    assert {path for path in mounts(pod) if path.startswith("/projects")} == {"/projects/vision"}
    assert traits_of(spawner) == before
