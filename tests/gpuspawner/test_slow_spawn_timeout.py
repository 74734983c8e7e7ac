"""A hub that answers before the spawner does (slow_spawn_timeout 0, as in zero-to-jupyterhub), in a real Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.gpuspawner.test_starts import GPU_4
from tests.running_lab import RunningLab, running_lab

pytestmark = [pytest.mark.hub, pytest.mark.browser]

AT_ONCE = 'c.JupyterHub.tornado_settings = {**c.JupyterHub.tornado_settings, "slow_spawn_timeout": 0}'


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RunningLab]:
    with running_lab(tmp_path, hub_config=AT_ONCE) as lab:
        yield lab


def test_browser_is_led_on_to_the_ticket(lab: RunningLab, chromium: Browser):
    lab.signed_in("ada")
    lab.start_server("ada", GPU_4)
    lab.wait_ready("ada")
    page = chromium.new_page()
    page.goto(f"{lab.url}/hub/login")
    page.fill("input[name=username]", "bert")
    page.fill("input[name=password]", lab.place.secret("demo_password"))
    page.click("input[type=submit]")
    page.goto(f"{lab.url}/hub/spawn/bert?opt-project=speech&opt-profile=gpu-1&opt-hours=1")
    page.wait_for_url("**/services/pool/tickets/**")
    assert lab.ticket("bert") is not None
