"""The spawn form as the hub sends it: what a project's budget has left, and what a profile could be had for now."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup
from gpuspawner.form import choices
from gpuspawner.options import Person
from labpool.settings import load_pool_file

from tests.clearing import clear
from tests.running_lab import POOL_YAML, RunningLab, running_lab

pytestmark = pytest.mark.hub

POOL = POOL_YAML.replace(
    "    nominal: {demo-gpu: 4}\n", "    nominal: {demo-gpu: 4}\n    budget: {gpu_hours: 10, per: year}\n"
)
BOTH = POOL.replace("members: {groups: [speech]}", "members: {groups: [speech, vision]}")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    with running_lab(tmp_path_factory.mktemp("lab"), pool_yaml=BOTH) as lab:
        yield lab
        clear(lab)


def form(lab: RunningLab, user: str) -> BeautifulSoup:
    return BeautifulSoup(lab.signed_in(user).open(f"/hub/spawn/{user}").text, "html.parser")


def told(page: BeautifulSoup, identity: str) -> str:
    found = page.find(id=identity)
    assert found is not None
    return found.get_text(" ", strip=True)


def card(page: BeautifulSoup, identity: str) -> str:
    found = page.find("label", attrs={"for": identity})
    assert found is not None
    return " ".join(found.get_text(" ", strip=True).split())


def test_form_tells_what_each_project_has_left_and_nothing_of_one_without_a_budget(lab: RunningLab):
    page = form(lab, "ada")
    assert told(page, "labpool-budget-vision") == "10 of 10 GPU-hours left this year"
    assert told(page, "labpool-budget-speech") == ""
    lab.start_server("ada", {"project": "vision", "profile": "gpu-2", "hours": 4}, "train")
    page = form(lab, "ada")
    assert told(page, "labpool-budget-vision") == "2 of 10 GPU-hours left this year"
    assert "starts now for up to 2 h" in card(page, "labpool-vision-gpu-1")
    assert "starts now for up to 1 h" in card(page, "labpool-vision-gpu-2")
    assert "2 GPU-hours an hour" in card(page, "labpool-vision-gpu-2")
    assert "starts now" in card(page, "labpool-speech-gpu-1")


def test_without_an_answer_of_the_pool_nothing_is_told_of_budgets(lab: RunningLab):
    catalogue = load_pool_file(lab.folder / "config/pool.yaml").catalogue
    offered = choices(Person("ada", frozenset({"vision"})), catalogue, None)
    assert [(project.name, project.budget) for project in offered] == [("vision", None), ("speech", None)]
