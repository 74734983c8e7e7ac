"""What becomes of a leased JupyterLab: first use, restart from Lab, stop by its user, end of the hours."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from labpool.api_models import NoticeView, TicketView

from tests.browser.outage import kill_and_wait
from tests.lab_story.conftest import RECONCILE_SECONDS, Researcher
from tests.lab_story.kernel import Kernel, connected
from tests.lab_story.lab_server import SLOW, LabServer, lives
from tests.real_hub import wait_until

pytestmark = [pytest.mark.hub, pytest.mark.long]

POLLS = ("api/status", "api/kernels", "api/sessions", "lab/api/settings")
LEAVE_BEHIND = """
import subprocess
left = subprocess.Popen(["nohup", "sleep", "900"], stdout=subprocess.DEVNULL, start_new_session=True)
print(left.pid)
"""
READ_NOTICE = "import os, pathlib; print(pathlib.Path(os.environ['LABPOOL_RUNTIME'], 'notice.json').read_text())"


def test_polls_are_no_use_of_a_server_and_opening_lab_is(researcher: Researcher):
    server = researcher("ada")
    server.start("vision", "gpu-2")
    for _ in range(5):
        for path in POLLS:
            assert server.ask("GET", path).status_code == 200
        assert server.ticket().state == "granted"
    wait_until(lambda: server.ticket().server_ready, "the pool's knowledge that the server is ready")
    assert server.ticket().state == "granted"
    assert server.open_lab().status_code == 200
    wait_until(lambda: server.ticket().state == "running", "the claim")


def test_stopped_server_gives_its_devices_back_once_nothing_that_it_started_is_left(researcher: Researcher):
    server = researcher("bert")
    server.start("speech", "gpu-1")
    assert server.ticket().state == "granted"
    with server.kernel() as kernel:
        wait_until(lambda: server.ticket().state == "running", "the claim by the start of a kernel")
        left, own = int(kernel.run(LEAVE_BEHIND)), kernel.pid
    assert lives(left)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    wait_until(lambda: server.ticket().lease is None, "the end of the lease")
    assert not lives(left)  # at the very moment that the lease is gone
    assert not lives(own)
    stopping.join()
    assert (server.ticket().state, server.ticket().end_reason) == ("ended", "stopped")


def test_server_shut_down_from_lab_starts_again_with_its_lease(researcher: Researcher):
    server = researcher("ada")
    server.start("vision", "gpu-2")
    assert server.open_lab().status_code == 200
    wait_until(lambda: server.ticket().state == "running", "the claim")
    before = server.ticket()
    assert server.ask("POST", "api/shutdown").is_success
    wait_until(lambda: not server.lab.is_active("ada") and not server.lab.labs(), "the server's end")
    for away in tickets_of_the_next_looks(server):
        assert (away.id, away.state, away.lease) == (before.id, "running", before.lease)

    server.start("vision", "gpu-2")
    again = server.ticket()
    assert (again.id, again.state, again.lease) == (before.id, "running", before.lease)
    assert len(server.tickets()) == len({ticket.id for ticket in server.tickets()})
    assert again.lease is not None
    with server.kernel() as kernel:
        assert devices_in(kernel) == list(again.lease.devices)


def test_running_notebook_outlives_hub_proxy_and_pool(researcher: Researcher):
    server = researcher("ada")
    server.start("vision", "gpu-1")
    with server.kernel() as kernel:
        kernel.run("answer = 41")
        pid = kernel.pid
    for part in ("hub", "proxy", "pool"):
        kill_and_wait(server.lab, part)
    wait_until(lambda: server.ask("GET", "api/status").is_success, "the server behind the new proxy", SLOW)
    with connected(server.url, kernel.id, server.token) as again:
        assert (again.run("print(answer + 1)").strip(), again.pid) == ("42", pid)


def test_end_of_the_hours_is_announced_in_the_server_ends_it_and_leaves_the_files(
    researcher: Researcher, short_hours: float
):
    server = researcher("ada")
    server.start("vision", "gpu-2", short_hours)
    with server.kernel() as kernel:
        kernel.run("open('results.txt', 'w').write('42')")
        pid = kernel.pid
        wait_until(lambda: kind_of(server.notice()) == "ending", "the notice in the server", SLOW)
        ticket = server.ticket()
        assert ticket.state == "running"
        assert ticket.lease is not None
        assert server.notice() == ticket.notice
        first = NoticeView.model_validate_json(kernel.run(READ_NOTICE))
        assert first.ends_at == ticket.lease.ends
        wait_until(lambda: server.notice() != first, "the second notice in the server", SLOW)
        second = NoticeView.model_validate_json(kernel.run(READ_NOTICE))
        assert (second.kind, second.ends_at) == ("ending", ticket.lease.ends)
        assert second.at - first.at >= timedelta(minutes=0.2)

    wait_until(lambda: server.ticket().state == "ended", "the end of the hours", SLOW)
    assert server.ticket().end_reason == "time_limit"
    assert not lives(pid)
    assert server.lab.labs() == []
    wait_until(lambda: not server.lab.is_active("ada"), "the hub's knowledge of the end")
    assert (server.home / "results.txt").read_text(encoding="utf-8") == "42"

    server.start("vision", "cpu")
    assert server.get("api/contents/results.txt")["content"] == "42"
    assert server.notice() is None  # what was said of the last server is not true of this one


def tickets_of_the_next_looks(server: LabServer) -> Iterator[TicketView]:
    """The newest ticket, again and again while the pool looks round several times."""
    wait_until(lambda: not server.ticket().server_ready, "the pool's look at what is left")
    until = time.monotonic() + 4 * RECONCILE_SECONDS
    while time.monotonic() < until:
        yield server.ticket()


def kind_of(notice: NoticeView | None) -> str | None:
    return notice.kind if notice else None


def devices_in(kernel: Kernel) -> list[str]:
    """The leased devices' ids as programs in the server see them."""
    told = kernel.run("import os; print(os.environ['LABPOOL_DEVICES'])")
    return [device["id"] for device in json.loads(told)]
