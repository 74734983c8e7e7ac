"""TensorBoards as processes: they end and come back as they should, and what the gateway logs meanwhile."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.labpool_logs.conftest import LOSS, RealGateway
from tests.labpool_logs.event_files import log_scalars
from tests.labpool_logs.reading import read_scalars
from tests.real_hub import wait_until

pytestmark = pytest.mark.hub


def test_crashed_tensorboard_is_started_again_by_the_next_request(own_gateway: RealGateway):
    log_scalars(own_gateway.store / "ada/vision/run-1", "loss", LOSS)
    own_gateway.start()
    browser = own_gateway.hub.signed_in("ada")
    browser.open("/own-logs/ada/vision/")
    first = own_gateway.tensorboards()["ada/vision"]
    os.kill(first, signal.SIGKILL)

    assert browser.open("/own-logs/ada/vision/").status_code == 200
    assert own_gateway.tensorboards()["ada/vision"] != first
    shown = functools.partial(read_scalars, browser, "ada/vision", prefix="/own-logs/")
    wait_until(lambda: shown() == LOSS, "the logged values in TensorBoard")


def test_least_recently_used_tensorboard_ends_for_a_new_one(own_gateway: RealGateway):
    for project in ("a", "b", "c"):
        log_scalars(own_gateway.store / f"ada/{project}/run-1", "loss", LOSS)
    own_gateway.start(LABPOOL_LOGS_AT_ONCE="2")
    browser = own_gateway.hub.signed_in("ada")
    for project in ("a", "b", "a", "c"):
        assert browser.open(f"/own-logs/ada/{project}/").status_code == 200

    assert set(own_gateway.tensorboards()) == {"ada/a", "ada/c"}
    assert browser.open("/own-logs/ada/b/").status_code == 200


def test_idle_tensorboard_ends_and_comes_back_when_asked_for(own_gateway: RealGateway):
    log_scalars(own_gateway.store / "ada/vision/run-1", "loss", LOSS)
    own_gateway.start(LABPOOL_LOGS_IDLE_MINUTES="0.01", LABPOOL_LOGS_CHECK_SECONDS="0.1")
    browser = own_gateway.hub.signed_in("ada")
    assert browser.open("/own-logs/ada/vision/").status_code == 200

    wait_until(lambda: own_gateway.tensorboards() == {}, "the end of the idle TensorBoard")

    assert browser.open("/own-logs/ada/vision/").status_code == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_tensorboard_outlives_the_gateway(own_gateway: RealGateway, how: int):
    log_scalars(own_gateway.store / "ada/vision/run-1", "loss", LOSS)
    own_gateway.start()
    own_gateway.hub.signed_in("ada").open("/own-logs/ada/vision/")
    (pid,) = own_gateway.tensorboards().values()
    private = Path(f"/proc/{pid}/cwd").readlink()

    own_gateway.stop(how)

    wait_until(lambda: own_gateway.tensorboards() == {}, "the end of the TensorBoards")
    wait_until(lambda: not private.exists(), "the removal of the socket's folder")


def test_log_is_one_json_event_a_line_without_names_and_secrets(own_gateway: RealGateway):
    log_scalars(own_gateway.store / "ada/vision/run-1", "loss", LOSS)
    own_gateway.start()
    browser = own_gateway.hub.signed_in("ada")
    browser.open("/own-logs/ada/vision/")
    browser.open("/own-logs/lin/vision/")

    events = own_gateway.events()
    text = (own_gateway.folder / "gateway.log").read_text()

    assert any(each["event"] == "tensorboard started" and each["project"] == "vision" for each in events)
    assert any(each.get("reason") == "not_yours" for each in events)
    assert "ada" not in text
    assert own_gateway.service.token not in text
    assert not [value for value in browser.client.cookies.values() if value.strip('"') in text]


def test_gateway_without_settings_says_which_are_missing(own_gateway: RealGateway):
    clean = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "labpool_logs"]
    ended = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    for name in ("LABPOOL_LOG_STORE", "JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN"):
        assert name in ended.stderr
