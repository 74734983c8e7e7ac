"""With cards (the driver's library is a stand-in): servers see theirs by UUID, and who uses one unasked is shown."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.fake_driver import FakeCard, FakeDriver, build
from tests.real_hub import wait_until
from tests.running_lab import POOL_YAML, RunningLab, running_lab

pytestmark = [pytest.mark.hub, pytest.mark.compiler]

CARDS = ("GPU-one", "GPU-two", "GPU-three")
A_CARD = {"project": "vision", "profile": "gpu-1", "hours": 1}
CPU = {"project": "vision", "profile": "cpu"}


@pytest.fixture
def driver(tmp_path: Path) -> FakeDriver:
    fake = FakeDriver(tmp_path / "nvml.state", [FakeCard(uuid) for uuid in CARDS])
    fake.write()
    return fake


@pytest.fixture
def lab(driver: FakeDriver, tmp_path: Path) -> Iterator[RunningLab]:
    cards = POOL_YAML.replace("gpu_memory_gib: 16}", 'gpu_memory_gib: 80, nvml: "nvidia a100*"}')
    driver_of_this_machine = {"LD_LIBRARY_PATH": str(build(tmp_path).parent), "FAKE_NVML_STATE": str(driver.state)}
    with running_lab(tmp_path / "lab", pool_yaml=cards, environ=driver_of_this_machine) as lab:
        yield lab


def test_servers_see_their_own_cards_and_who_uses_one_unasked_is_shown(lab: RunningLab, driver: FakeDriver):
    browser, _ = lab.signed_in("ada"), lab.signed_in("bert")
    for name, options in (("one", A_CARD), ("two", A_CARD), ("none", CPU)):
        lab.start_server("ada", options, name)
        lab.wait_ready("ada", name)
    held = {ticket.name: ticket for ticket in lab.home("ada").tickets}
    seen = {name: lab.told("ada", name)["CUDA_VISIBLE_DEVICES"] for name in ("one", "two", "none")}
    leased = {name: ticket.lease.devices for name, ticket in held.items() if ticket.lease}
    assert seen == {"one": leased["one"][0], "two": leased["two"][0], "none": ""}
    assert {seen["one"], seen["two"]} < set(CARDS)

    (free,) = set(CARDS) - set(seen.values())
    with subprocess.Popen(["sleep", "600"]) as process:
        for card in (seen["one"], free):
            driver.change(CARDS.index(card), pids=(process.pid,))
        words = ("Used by others", "Not given out now")
        wait_until(lambda: all(map(browser.open("/services/pool/").text.__contains__, words)), "the page's words")
        pool, ticket = browser.open("/services/pool/").text, browser.open(held["one"].path).text
        waiting = lab.start_server("bert", {**A_CARD, "project": "speech"})
        process.kill()
    assert "Not given out now" in pool and free in pool
    assert f"process {process.pid} of" in pool
    assert "uses this GPU beside its holder" in ticket
    assert waiting.status_code == 503


def test_card_that_nobody_named_is_on_the_form_and_starts(lab: RunningLab, driver: FakeDriver):
    driver.cards[-1] = FakeCard("GPU-new", name="NVIDIA H200")
    driver.write()
    browser = lab.signed_in("ada")
    wait_until(lambda: "One NVIDIA H200" in browser.open("/hub/spawn/ada").text, "the card on the form")
    lab.start_server("ada", {"project": "vision", "profile": "nvidia-h200-1", "hours": 1})
    lab.wait_ready("ada")
    told = lab.told("ada")
    assert (told["CUDA_VISIBLE_DEVICES"], told["LABPOOL_PRESET"]) == ("GPU-new", "single")
