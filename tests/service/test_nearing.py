"""Who waits is told once that their turn is near."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from labpool.service.nearing import Nearing

from tests.real_hub import wait_until
from tests.service.lab import Lab
from tests.service.receivers import Mailbox
from tests.service.sending import MINUTE, address, box, chosen, hook, lab, ports, sending_lab, until_done

pytestmark = pytest.mark.once

__all__ = ["box", "hook", "lab", "ports", "sending_lab"]

NewUser = Callable[[], str]


def kind(lab: Lab, ticket: str) -> str:
    notice = lab.pool.ticket(ticket).notice
    return notice.kind if notice else ""


def waiting_behind_a_run_of_an_hour(lab: Lab, user: str, first: str) -> str:
    """A ticket of `user`, planned for when `first`, who has used the server, ends."""
    lab.running(first, "gpu-4", hours=1)
    return str(lab.pool.ask(user).json()["ticket"])


def test_who_waited_is_told_once_a_quarter_of_an_hour_before(lab: Lab, box: Mailbox, new_user: NewUser):
    user = new_user()
    chosen(lab, user, email_kinds=frozenset({"near"}))
    ticket = waiting_behind_a_run_of_an_hour(lab, user, new_user())
    lab.pool.pass_time(timedelta(minutes=40))
    lab.pool.call(lab.pool.parts.reconciler.look())
    assert kind(lab, ticket) == ""
    lab.pool.pass_time(timedelta(minutes=10))
    wait_until(lambda: kind(lab, ticket) == "near", "the notice")
    assert box.await_mail(address(user))["Subject"] == "Your turn is near"
    assert "Your turn is near: your GPUs are planned for " in box.text_to(address(user))
    lab.pool.pass_time(MINUTE)
    lab.pool.call(lab.pool.parts.reconciler.look())
    until_done(lab)
    assert len(box.mails) == 1


def test_who_has_just_asked_is_not_told(lab: Lab, new_user: NewUser):
    first = new_user()
    lab.running(first, "gpu-4", hours=1)
    lab.pool.pass_time(timedelta(minutes=50))
    early = lab.pool.ask(new_user()).json()["ticket"]
    lab.pool.call(Nearing(lab.pool.parts.desk).look())
    assert kind(lab, early) == ""
    lab.pool.pass_time(5 * MINUTE)
    wait_until(lambda: kind(lab, early) == "near", "the notice once it has waited")
