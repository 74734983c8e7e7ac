"""kill -9 at any part of a running lab, with one server running and one ticket queued."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from labpool.api_models import TicketView

from tests.real_hub import is_healthy, wait_until
from tests.running_lab import RunningLab, running_lab
from tests.using import use
from tests.waits import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.long]

PARTS = ("proxy", "hub", "pool", "logs")
BACK_SECONDS = 90

SLOW_ONCE = """
import asyncio
from pathlib import Path

class SlowOnce(c.JupyterHub.spawner_class):
    \"\"\"Its first start forks the server and then doesn't return: what the hub would save is never saved.\"\"\"

    async def start(self):
        address = await super().start()
        if not Path({marker!r}).exists():
            Path({marker!r}).touch()
            await asyncio.sleep(60)
        return address

c.JupyterHub.spawner_class = SlowOnce
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        for user in ("ada", "bert"):
            lab.signed_in(user)
        yield lab


@pytest.fixture
def running_and_queued(lab: RunningLab) -> Iterator[tuple[TicketView, TicketView]]:
    """Ada's server with all four GPUs, used; and Bert's ticket for one."""
    lab.start_server("ada", {"project": "vision", "profile": "gpu-4", "hours": 2})
    lab.wait_ready("ada")
    use(lab, "ada")
    lab.start_server("bert", {"project": "speech", "profile": "gpu-1", "hours": 1})
    yield _ticket(lab, "ada"), _ticket(lab, "bert")
    wait_until(lambda: _given_back(lab), "all leases given back", BACK_SECONDS)


@pytest.mark.parametrize("killed", [*((part,) for part in PARTS), PARTS], ids=[*PARTS, "all of them"])
def test_killed_parts_come_back_once_and_nobody_loses_anything(
    lab: RunningLab, running_and_queued: tuple[TicketView, TicketView], killed: tuple[str, ...]
):
    running, queued = running_and_queued
    servers, before = lab.labs(), {part: lab.pids(part) for part in killed}
    for part in killed:
        lab.kill(part)
    for part in killed:
        wait_until(lambda part=part: _one_new(lab.pids(part), before[part]), f"one new {part}", BACK_SECONDS)
    wait_until(lambda: _reachable(lab, "ada"), "Ada's server reachable", BACK_SECONDS)
    wait_until(lambda: is_healthy(f"{lab.ports.pool_url}/healthz"), "the pool's answer", BACK_SECONDS)
    assert lab.labs() == servers
    still_running, still_queued = _ticket(lab, "ada"), _ticket(lab, "bert")
    assert (still_running.state, still_running.lease) == ("running", running.lease)
    assert (still_queued.id, still_queued.place, still_queued.starts_by) == (queued.id, 1, queued.starts_by)
    wait_until(lambda: _knows_server(lab, "ada"), "the hub's knowledge of Ada's server", BACK_SECONDS)
    lab.stop_server("ada")
    lab.wait_ready("bert")
    assert list(lab.leased()) == [queued.id]
    assert all(len(lab.pids(part)) == 1 for part in PARTS)


def test_killed_supervisor_leaves_nothing_but_servers_and_the_next_one_finds_them(
    lab: RunningLab, running_and_queued: tuple[TicketView, TicketView]
):
    running, queued = running_and_queued
    servers = lab.labs()
    lab.kill_supervisor()
    wait_until(lambda: not any(lab.pids(part) for part in PARTS), "the end of all parts")
    assert lab.labs() == servers
    lab.start()
    wait_until(lambda: _reachable(lab, "ada"), "Ada's server reachable", BACK_SECONDS)
    assert _ticket(lab, "ada").lease == running.lease
    assert (_ticket(lab, "bert").id, _ticket(lab, "bert").starts_by) == (queued.id, queued.starts_by)


def test_server_that_died_while_all_was_down_is_settled(
    lab: RunningLab, running_and_queued: tuple[TicketView, TicketView]
):
    _, queued = running_and_queued
    lab.kill_supervisor()
    for pid in lab.labs():
        os.kill(pid, signal.SIGKILL)
    lab.start()
    lab.wait_ready("bert")
    assert list(lab.leased()) == [queued.id]


def test_server_forked_by_a_hub_that_died_before_saving_it_is_ended_and_started_once(tmp_path: Path):
    with running_lab(tmp_path, hub_config=SLOW_ONCE.format(marker=str(tmp_path / "was-slow"))) as lab:
        lab.signed_in("ada")
        with _hub_killed_once_forked(lab) as lost:
            assert lab.labs() == [lost]
        wait_until(lambda: lab.labs() not in ([], [lost]), "the server started anew", BACK_SECONDS)
        lab.wait_ready("ada")
        assert len(lab.labs()) == 1
        assert len(lab.leased()) == 1
        assert lab.told("ada")["LABPOOL_TICKET"] in lab.leased()


def test_process_that_a_dead_hub_left_behind_is_gone_before_its_devices_are_granted_again(tmp_path: Path):
    with running_lab(tmp_path, hub_config=SLOW_ONCE.format(marker=str(tmp_path / "was-slow"))) as lab:
        for user in ("ada", "bert"):
            lab.signed_in(user)
        with _hub_killed_once_forked(lab) as lost:
            os.kill(lost, signal.SIGSTOP)  # it listens to nothing but SIGKILL
            (note,) = lab.place.runtime.rglob("server.pid")
            note.unlink()  # and only its environment tells whose it is
        _ask_for_one_gpu(lab, "bert")
        lab.steer(_ticket(lab, "ada"), "end").raise_for_status()
        wait_until(lambda: _ticket(lab, "bert").lease is not None, "Bert's lease", BACK_SECONDS)
        assert lost not in lab.labs()
        lab.wait_ready("bert")


@contextmanager
def _hub_killed_once_forked(lab: RunningLab) -> Iterator[int]:
    """Begin a start over REST and kill the hub while it waits for it; it stays away for as long as the block lasts.

    Gives the forked server.
    """

    def kill() -> int:
        (forked,) = wait_for(lab.labs, "the forked server")
        lab.kill("hub")
        return forked

    assert lab.supervisor is not None
    lab.supervisor.send_signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as beside:
            killing = beside.submit(kill)
            with suppress(httpx.HTTPError):  # mostly the call has no answer; after ten seconds, that it still starts
                assert lab.start_server("ada", {"project": "vision", "profile": "gpu-4", "hours": 2}).status_code == 202
            forked = killing.result()
        yield forked
    finally:
        lab.supervisor.send_signal(signal.SIGCONT)


def _ask_for_one_gpu(lab: RunningLab, user: str) -> None:
    """Queue a ticket as soon as the hub is back."""
    wait_until(lambda: is_healthy(f"{lab.url}/hub/health"), "the hub's return", BACK_SECONDS)
    assert lab.start_server(user, {"project": "speech", "profile": "gpu-1", "hours": 1}).status_code == 503


def _given_back(lab: RunningLab) -> bool:
    """Stop what runs, what was queued starts then; say whether nobody holds or wants anything any more."""
    for user in ("ada", "bert"):
        if lab.is_ready(user):
            lab.stop_server(user)
    return not any(lab.home(user).tickets for user in ("ada", "bert"))


def _one_new(pids: list[int], before: list[int]) -> bool:
    return len(pids) == 1 and pids != before


def _reachable(lab: RunningLab, user: str) -> bool:
    try:
        return lab.told(user)["JUPYTERHUB_USER"] == user
    except (httpx.HTTPError, ValueError):
        return False


def _knows_server(lab: RunningLab, user: str) -> bool:
    try:
        return lab.is_ready(user)
    except (httpx.HTTPError, KeyError):
        return False


def _ticket(lab: RunningLab, user: str) -> TicketView:
    ticket = lab.ticket(user)
    assert ticket is not None, f"{user} has no ticket"
    return ticket
