"""Outages of parts of a running lab, as the browser tests make them."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from tests.real_hub import is_healthy, wait_until
from tests.running_lab import RunningLab


@contextlib.contextmanager
def pool_stopped(lab: RunningLab) -> Iterator[None]:
    """The pool is gone, and the supervisor is held so that it doesn't start it again."""
    assert lab.supervisor is not None
    lab.supervisor.send_signal(signal.SIGSTOP)
    try:
        lab.kill("pool")
        wait_until(lambda: not lab.pids("pool"), "the pool's end")
        yield
    finally:
        lab.supervisor.send_signal(signal.SIGCONT)
        wait_until(lambda: is_healthy(f"{lab.ports.pool_url}/healthz"), "the pool's return")


def kill_and_wait(lab: RunningLab, part: str) -> None:
    """kill -9 of one part, until another one of it runs and the public addresses answer."""
    before = lab.pids(part)
    lab.kill(part)
    wait_until(lambda: bool(lab.pids(part)) and lab.pids(part) != before, f"a new {part}", 40)
    for path in ("/hub/health", "/services/pool/healthz"):
        wait_until(lambda path=path: is_healthy(lab.url + path), f"an answer from {path}", 40)


def leave_queue(lab: RunningLab, user: str, server: str) -> None:
    """Let somebody leave the queue by a program of theirs."""
    ticket = lab.ticket(user, server)
    assert ticket is not None
    lab.steer(ticket, "leave").raise_for_status()
