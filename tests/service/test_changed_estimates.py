"""Who waits is told when their likely start is far from what they were told; once, and at most once an hour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from labpool.service.changed_estimates import ChangedEstimates

from tests.real_hub import wait_until
from tests.service.lab import Lab
from tests.service.receivers import Mailbox
from tests.service.sending import MINUTE, address, box, chosen, hook, lab, ports, sending_lab, until_done

pytestmark = pytest.mark.once

__all__ = ["box", "hook", "lab", "ports", "sending_lab"]

NewUser = Callable[[], str]


def first_told(lab: Lab, ticket: str) -> datetime:
    """The estimate that the pool makes a moment after a ticket came in line."""

    def kept() -> datetime | None:
        found = lab.pool.call(lab.pool.parts.desk.find(ticket))
        return found.likely_start if found else None

    wait_until(lambda: kept() is not None, "the first estimate")
    told = kept()
    assert told is not None
    return told


def test_who_waits_much_longer_than_they_were_told_is_told_once_also_over_a_restart(
    lab: Lab, box: Mailbox, new_user: NewUser
):
    user, desk = new_user(), lab.pool.parts.desk
    chosen(lab, user, email_kinds=frozenset({"likely_changed"}))
    lab.running(new_user(), "gpu-4", hours=20)
    ticket = str(lab.pool.ask(user).json()["ticket"])
    told = first_told(lab, ticket)

    def look(passed: timedelta) -> int:
        """How many mails there are after so much time and a look of a pool that has just started."""
        lab.pool.pass_time(passed)
        lab.pool.call(ChangedEstimates(desk).look())
        until_done(lab)
        return len(box.mails)

    assert look(MINUTE) == 0
    assert look(told - lab.pool.clock() + timedelta(hours=6)) == 1
    letter = box.await_mail(address(user))
    assert letter["Subject"] == "Your turn likely comes at another time"
    assert "Your GPUs likely come later than you were told: at " in box.text_to(address(user))
    notice = lab.pool.ticket(ticket).notice
    assert notice is not None
    assert notice.kind == "likely_changed"
    assert [look(MINUTE), look(timedelta(minutes=50))] == [1, 1]
