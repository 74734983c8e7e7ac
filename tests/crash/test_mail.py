"""kill -9 of the pool while it sends a mail: the mail goes out all the same, and a repeat can be told."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.ports import free_ports
from tests.real_hub import is_healthy, wait_until
from tests.running_lab import POOL_YAML, RunningLab, running_lab
from tests.service.receivers import Mailbox, mail_server

pytestmark = [pytest.mark.hub, pytest.mark.long]

CLAIM_SECONDS, PAUSE_SECONDS = 120, 30
IDLE_SECONDS = 40
"""The pool looks into its outbox at least every half minute; the rest is for a busy machine."""


@pytest.fixture(scope="module")
def port() -> int:
    (port,) = free_ports(1)
    return port


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[RunningLab]:
    email = f"email: {{host: 127.0.0.1, port: {port}, tls: none, sender: gpu-pool@example.org}}"
    with running_lab(tmp_path_factory.mktemp("lab"), pool_yaml=f"{POOL_YAML}notices: {{{email}}}\n") as lab:
        for user in ("ada", "bert"):
            lab.signed_in(user)
        yield lab


@pytest.fixture
def box(port: int) -> Iterator[Mailbox]:
    with mail_server(port) as box:
        yield box


def gives_address(lab: RunningLab, user: str) -> str:
    """Let a user name an address, to which a mail goes then."""
    headers, to = {"Authorization": f"token {lab.token_for(user)}"}, f"{user}@example.org"
    url = f"{lab.ports.pool_url}/api/v1/me/preferences"
    httpx.put(url, json={"email": to}, headers=headers, timeout=20, trust_env=False).raise_for_status()
    return to


def kill_and_wait(lab: RunningLab) -> None:
    before = lab.pids("pool")
    lab.kill("pool")
    wait_until(lambda: lab.pids("pool") not in ([], before), "another pool")
    wait_until(lambda: is_healthy(f"{lab.ports.pool_url}/healthz"), "the pool's answer")


def test_mail_that_could_not_be_sent_before_the_kill_is_sent_once_after_it(lab: RunningLab, box: Mailbox):
    box.answers.append("451 busy")
    to = gives_address(lab, "ada")
    wait_until(lambda: len(box.tried) == 1, "the first try")
    kill_and_wait(lab)
    wait_until(lambda: len(box.to(to)) == 1, "the mail", PAUSE_SECONDS + IDLE_SECONDS)
    kill_and_wait(lab)
    assert (len(box.mails), box.tried) == (1, [box.mails[0]["Message-ID"]] * 2)


@pytest.mark.soak
def test_mail_whose_pool_is_killed_before_it_knows_of_it_comes_again_under_the_same_id(lab: RunningLab, box: Mailbox):
    box.on_mail = lambda: lab.kill("pool") if len(box.mails) == 1 else None
    to = gives_address(lab, "bert")
    wait_until(lambda: len(box.to(to)) == 2, "the mail again", CLAIM_SECONDS + IDLE_SECONDS)
    assert box.tried == [box.mails[0]["Message-ID"]] * 2
