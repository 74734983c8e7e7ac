"""Researchers who wait are no failures of the hub, on Hub 6 and on Hub 5.5."""

import sys
from pathlib import Path

import pytest

from tests.gpuspawner.test_starts import GPU_4, SPEECH, fill_form
from tests.running_lab import HUB_5, running_lab

pytestmark = pytest.mark.hub

HUBS = [pytest.param(sys.executable, id="hub-6"), pytest.param(HUB_5, id="hub-5.5", marks=pytest.mark.hub5)]
ZERO_TO_JUPYTERHUBS_LIMIT = "c.Spawner.consecutive_failure_limit = 5"


MANY_NAMES = "c.JupyterHub.named_server_limit_per_user = 50\n"


def limit_of(python: str) -> str:
    return "" if python == HUB_5 else ZERO_TO_JUPYTERHUBS_LIMIT


@pytest.mark.parametrize("python", HUBS)
def test_twenty_waiting_starts_in_a_row_leave_the_hub_alive(tmp_path: Path, python: str):
    with running_lab(tmp_path, python=python, hub_config=MANY_NAMES + limit_of(python)) as lab:
        lab.signed_in("ada")
        browser = lab.signed_in("bert")
        (hub,) = lab.pids("hub")
        lab.start_server("ada", GPU_4)
        lab.wait_ready("ada")
        answers = [lab.start_server("bert", SPEECH, f"s{number}").status_code for number in range(20)]
        assert answers == [503] * 20
        assert fill_form(browser, "bert", SPEECH).status_code == 303
        assert lab.pids("hub") == [hub]
        lab.stop_server("ada")  # and the first in line starts on this hub
        lab.wait_ready("bert", "s0")
        assert "Aborting" not in lab.log("hub")


@pytest.mark.hub5
def test_failure_limit_on_hub_5_is_refused_with_the_remedy(tmp_path: Path):
    with running_lab(tmp_path, python=HUB_5, hub_config=ZERO_TO_JUPYTERHUBS_LIMIT) as lab:
        lab.signed_in("ada")
        response = lab.start_server("ada", None)
        assert response.status_code == 500
        assert lab.labs() == []
        assert "Set c.Spawner.consecutive_failure_limit = 0" in lab.log("hub")
