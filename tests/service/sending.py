"""A pool that sends notices to servers of the test's, and what tests of it have in common.

A module gets the fixtures by importing them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from labpool.service.sending.round import pause_after
from labpool.store import Preferences, Way
from standardwebhooks import Webhook, WebhookVerificationError

from tests.conftest import DATABASES
from tests.ports import free_ports
from tests.real_hub import wait_until
from tests.service.conftest import give_everything_back, pool_on
from tests.service.lab import Lab
from tests.service.receivers import Call, Hook, Mailbox, hook_server, mail_server
from tests.service.running_pool import POOL_YAML

MINUTE = timedelta(minutes=1)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOTICES = """
notices:
  email: {{host: 127.0.0.1, port: {mail}, tls: none, sender: gpu-pool@example.org}}
  webhook_hosts: ["localhost:{hook}"]
"""


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    mail, hook = free_ports(2)
    return mail, hook


@pytest.fixture(scope="module", params=DATABASES)
def sending_lab(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, ports: tuple[int, int]
) -> Iterator[Lab]:
    """A pool with a mail server and a host that webhooks may call."""
    mail, hook = ports
    pool_yaml = POOL_YAML.replace("max_hours: 8", "max_hours: 100") + NOTICES.format(mail=mail, hook=hook)
    with pool_on(request, tmp_path_factory, pool_yaml) as (pool, hub):
        yield Lab(pool, hub)


@pytest.fixture
def lab(sending_lab: Lab) -> Iterator[Lab]:
    yield sending_lab
    give_everything_back(sending_lab.pool, sending_lab.hub)
    sending_lab.pool.clock.ahead = timedelta(0)


@pytest.fixture
def box(ports: tuple[int, int]) -> Iterator[Mailbox]:
    with mail_server(ports[0]) as box:
        yield box


@pytest.fixture
def hook(ports: tuple[int, int]) -> Iterator[Hook]:
    with hook_server(ports[1]) as hook:
        yield hook


def address(user: str) -> str:
    return f"{user}@example.org"


def chosen(lab: Lab, user: str, **others: object) -> None:
    """Let `user` want to be told of a turn by mail."""
    wanted = {"email": address(user), "email_kinds": frozenset({"granted", "requeued"})} | others
    preferences = Preferences(user, **wanted)  # type: ignore[arg-type]
    lab.pool.call(lab.pool.parts.desk.change(lambda change: change.preferences.save(preferences), replan=False))


def with_hook(lab: Lab, user: str, hook: Hook, secret: str = SECRET) -> None:
    """Let `user` want a program to be told of a turn."""
    kinds = frozenset({"granted"})
    chosen(lab, user, email="", webhook_url=hook.url, webhook_secret=secret, webhook_kinds=kinds)


def granted_after_waiting(lab: Lab, first: str, *users: str) -> list[str]:
    """Tickets of `users`, who waited behind `first` for two minutes and have just been granted a GPU each."""
    held = lab.pool.ask(first, "gpu-4", hours=8).json()["ticket"]
    tickets = [lab.pool.ask(user).json()["ticket"] for user in users]
    assert {lab.pool.ticket(ticket).state for ticket in tickets} == {"queued"}
    lab.pool.pass_time(2 * MINUTE)
    holder = lab.pool.call(lab.pool.parts.desk.find(held))
    assert holder is not None
    lab.pool.call(lab.pool.parts.reconciler.give_back(holder, first))
    wait_until(lambda: all(lab.pool.ticket(ticket).state == "granted" for ticket in tickets), "the grants")
    return tickets


def waiting(lab: Lab, way: Way = Way.EMAIL) -> int:
    """How many deliveries are not done."""
    return lab.pool.call(lab.pool.parts.desk.view(lambda view: view.outbox.waiting()[way]))


def until_done(lab: Lab, way: Way = Way.EMAIL) -> None:
    wait_until(lambda: waiting(lab, way) == 0, "an empty outbox")


def pass_the_pause(lab: Lab, way: Way = Way.EMAIL) -> None:
    """Let the time pass after which the first try is made anew, once it is noted that it failed."""
    again = pause_after(1)

    def is_noted() -> bool:
        soon = lab.pool.clock() + again  # under way it is put off for longer
        return lab.pool.call(lab.pool.parts.desk.view(lambda view: view.outbox.is_due(way, soon)))

    wait_until(is_noted, "the failure noted")
    lab.pool.pass_time(again)


def signed(call: Call, secret: str) -> bool:
    """Whether the scheme's own library accepts a call."""
    try:
        Webhook(secret).verify(call.body, call.headers)
    except WebhookVerificationError:
        return False
    return True
