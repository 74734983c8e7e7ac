from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.catalogue import Catalogue
from labpool.domain.inventory import Device, Inventory, Node
from labpool.settings import (
    complete_catalogue,
    flavour_of_card,
    hidden_profiles,
    load_pool_file,
    overcommitted_findings,
)

from tests.settings.conftest import DEMO, SMALL, Load


def cards(count: int, flavour: str = "nvidia-h200", product: str = "NVIDIA H200", node: str = "here") -> Inventory:
    devices = tuple(Device(f"{node}-{i}", flavour, node, i, 139.8, product=product) for i in range(count))
    return Inventory((Node(node, 16, 128),), devices)


@pytest.fixture
def demo() -> Catalogue:
    return load_pool_file(DEMO).catalogue


def test_card_nobody_named_becomes_a_flavour_with_a_profile_in_each_project(demo: Catalogue):
    catalogue = complete_catalogue(demo, cards(3))
    assert catalogue.flavours["nvidia-h200"].title == "NVIDIA H200"
    profile = catalogue.profiles["nvidia-h200-1"]
    assert (profile.title, profile.flavour, profile.gpus, profile.preset) == (
        "One NVIDIA H200",
        "nvidia-h200",
        1,
        "single",
    )
    assert (profile.cpu, profile.memory_gib) == (5, 42)
    shares = {name: (p.nominal["nvidia-h200"], p.borrow["nvidia-h200"]) for name, p in catalogue.projects.items()}
    assert shares == {"vision": (2, 1), "speech": (1, 2)}
    assert all(p.profiles[-1] == "nvidia-h200-1" for p in catalogue.projects.values())


def test_device_that_is_left_over_goes_to_the_project_of_most_weight(load: Load):
    other = "  speech: {title: Speech, members: {groups: [speech]}, weight: 20, profiles: [cpu]}\n"
    projects = complete_catalogue(load(SMALL + other).catalogue, cards(3)).projects
    assert {name: project.nominal["nvidia-h200"] for name, project in projects.items()} == {"vision": 1, "speech": 2}


def test_named_flavours_stay_as_they_are(demo: Catalogue):
    assert complete_catalogue(demo, cards(4, "demo-gpu")) == demo


def test_completing_twice_changes_nothing(demo: Catalogue):
    once = complete_catalogue(demo, cards(3))
    assert complete_catalogue(once, cards(3)) == once


def test_profile_of_the_same_name_in_the_file_is_kept(load: Load):
    text = SMALL.replace("  one:", "  nvidia-h200-1: {title: Mine, cpu: 1, memory_gib: 1, max_hours: 1}\n  one:")
    catalogue = complete_catalogue(load(text).catalogue, cards(1))
    assert catalogue.profiles["nvidia-h200-1"].title == "Mine"
    assert catalogue.profiles["nvidia-h200-1-gpu"].flavour == "nvidia-h200"


@given(st.integers(1, 40))
def test_all_devices_are_shared_out_evenly_and_all_may_borrow_the_rest(count: int):
    projects = complete_catalogue(load_pool_file(DEMO).catalogue, cards(count)).projects.values()
    shares = [project.nominal["nvidia-h200"] for project in projects]
    assert sum(shares) == count
    assert max(shares) - min(shares) <= 1
    assert all(project.most_at_once("nvidia-h200") == count for project in projects)


def test_profiles_that_no_node_can_hold_are_hidden_with_the_reason(demo: Catalogue):
    assert hidden_profiles(demo, cards(2, "demo-gpu")) == {}
    assert hidden_profiles(demo, cards(1, "demo-gpu")) == {
        "gpu-2": "No node holds 2 of Demo GPU 16 GB; the largest has 1."
    }
    assert set(hidden_profiles(demo, cards(4))) == {"gpu-1", "gpu-2"}
    assert hidden_profiles(demo, cards(4))["gpu-1"] == "There is no Demo GPU 16 GB in this pool."


def test_devices_on_two_nodes_do_not_add_up(demo: Catalogue):
    one, other = cards(1, "demo-gpu"), cards(1, "demo-gpu", node="there")
    both = Inventory(one.nodes + other.nodes, one.devices + other.devices)
    assert set(hidden_profiles(demo, both)) == {"gpu-2"}


@pytest.mark.parametrize(
    ("product", "flavour"),
    [
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("nvidia a100 80gb pcie", "a100"),
        ("NVIDIA A100-SXM4-40GB", "small"),
        ("NVIDIA GeForce RTX 3060 (rev. 2)", "nvidia-geforce-rtx-3060-rev-2"),
        ("X" * 60, "x" * 40),
        ("", "gpu"),
    ],
)
def test_card_belongs_to_the_first_flavour_its_name_fits(product: str, flavour: str):
    assert flavour_of_card(product, {"a100": "NVIDIA A100*80GB*", "small": "NVIDIA A100*"}) == flavour


def test_nominal_beyond_the_devices_there_are_is_a_warning_with_its_line(load: Load):
    pool = load(SMALL + SPEECH)
    (finding,) = overcommitted_findings(pool, cards(4, "gpu"))
    assert str(finding) == (
        "pool.yaml:16: projects.speech.nominal.gpu: nominal sums to 5 of gpu (2 for vision, 3 for speech), "
        "and there are 4. Lower one of them; until then nobody can count on having their own."
    )
    assert overcommitted_findings(pool, cards(5, "gpu")) == ()


SPEECH = "  speech:\n    title: Speech\n    members: {everyone: true}\n    nominal: {gpu: 3}\n    profiles: [one]\n"
