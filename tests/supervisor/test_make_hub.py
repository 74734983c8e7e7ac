"""`make hub` as the README says it: the shipped configuration, the usual data folder, until Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from labpool.settings import Ports

from tests.ports import free_ports
from tests.real_hub import REPOSITORY, Browser, wait_until

pytestmark = pytest.mark.hub


@pytest.fixture
def said(tmp_path: Path) -> Iterator[Path]:
    """What `make hub` prints while it runs, the data folder being the XDG one; afterwards Ctrl-C has ended it."""
    unset = ("LABPOOL_DATA", "LABPOOL_CONFIG", "MAKEFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"XDG_DATA_HOME": str(tmp_path), **Ports(*free_ports(5)).environment()}
    said = tmp_path / "said.log"
    with (
        said.open("wb") as output,
        subprocess.Popen(
            ["make", "hub"], cwd=REPOSITORY, env=environment, stdout=output, stderr=output, start_new_session=True
        ) as terminal,
    ):
        yield said
        os.killpg(terminal.pid, signal.SIGINT)
        assert terminal.wait(60) is not None
    assert "Stopped." in said.read_text(encoding="utf-8")


def test_make_hub_runs_the_real_thing_and_its_words_lead_into_it(said: Path, tmp_path: Path):
    wait_until(lambda: "Ctrl-C" in said.read_text(encoding="utf-8"), "what to know", 120)
    words = said.read_text(encoding="utf-8")
    address = re.search(r"labpool is running: +(\S+)", words)
    password = re.search(r"with the password (\S+)", words)
    assert address and password and str(tmp_path / "labpool") in words
    browser = Browser(address[1])
    browser.sign_in(browser.open("/hub/login"), "ada", password[1])
    form = browser.open("/hub/spawn/ada")
    assert "Vision group" in form.text and "Demo GPU 16 GB" in form.text
    assert browser.open("/services/pool/").status_code == browser.open("/logs/").status_code == 200
