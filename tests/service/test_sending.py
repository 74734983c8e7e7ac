"""Notices reach mailboxes and programs: once, by real servers that may misbehave, and without holding the pool up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from labpool.service.sending.forgetting import KEPT, forget_old
from labpool.service.sending.round import CLAIM, GIVE_UP_AFTER, pause_after
from labpool.service.telling import tell
from labpool.store import Notice, Way

from tests.real_hub import wait_until
from tests.service.lab import Lab
from tests.service.receivers import Hook, Mailbox
from tests.service.sending import (
    MINUTE,
    SECRET,
    address,
    box,
    chosen,
    granted_after_waiting,
    hook,
    lab,
    pass_the_pause,
    ports,
    sending_lab,
    signed,
    until_done,
    waiting,
    with_hook,
)

pytestmark = pytest.mark.once

__all__ = ["box", "hook", "lab", "ports", "sending_lab"]

NewUser = Callable[[], str]


def test_who_waited_gets_a_mail_with_the_tickets_address_and_how_to_stop_them(
    lab: Lab, box: Mailbox, new_user: NewUser
):
    user = new_user()
    chosen(lab, user)
    (ticket,) = granted_after_waiting(lab, new_user(), user)
    mail = box.await_mail(address(user))
    until_done(lab)
    text = box.text_to(address(user))
    assert (mail["From"], mail["Subject"]) == ("gpu-pool@example.org", "It is your turn: your GPUs are here")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert f"https://hub.example.org/services/pool/tickets/{ticket}\n" in text
    assert text.startswith(f"Hello {user},\n\nIt is your turn: 1 GPU until ")
    assert "stop these mails: https://hub.example.org/services/pool/preferences" in text
    assert (len(box.mails), box.recipients) == (1, [address(user)])


def test_the_times_of_a_mail_are_of_its_readers_zone(lab: Lab, box: Mailbox, new_user: NewUser):
    user = new_user()
    chosen(lab, user, zone="Asia/Kolkata")
    granted_after_waiting(lab, new_user(), user)
    box.await_mail(address(user))
    assert re.search(r"1 GPU until (\w{3} \d+ \w{3}, )?\d\d:\d\d IST\.", box.text_to(address(user)))


def test_who_got_gpus_at_once_gets_no_mail(lab: Lab, box: Mailbox, new_user: NewUser):
    user = new_user()
    chosen(lab, user)
    assert lab.pool.ask(user).status_code == 200
    assert (waiting(lab), box.mails) == (0, [])


def test_mail_that_is_refused_for_now_is_tried_again_under_the_same_id(lab: Lab, box: Mailbox, new_user: NewUser):
    user = new_user()
    chosen(lab, user)
    box.answers.append("451 busy")
    granted_after_waiting(lab, new_user(), user)
    wait_until(lambda: len(box.tried) == 1 and waiting(lab) == 1, "the first try")
    pass_the_pause(lab)
    box.await_mail(address(user))
    until_done(lab)
    assert box.tried[0] == box.tried[1]
    lab.pool.pass_time(CLAIM)
    lab.pool.call(lab.pool.parts.reconciler.look())
    assert len(box.mails) == 1


def test_mail_that_is_refused_for_good_is_given_up_and_audited(lab: Lab, box: Mailbox, new_user: NewUser):
    user = new_user()
    chosen(lab, user)
    box.answers.append("550 no such mailbox")
    (ticket,) = granted_after_waiting(lab, new_user(), user)
    until_done(lab)
    assert "notice_given_up" in lab.pool.trail(ticket)
    assert box.mails == []


def test_what_can_not_be_sent_for_a_day_is_given_up(lab: Lab, new_user: NewUser):
    """Nobody listens at the mail server's port."""
    user, other = new_user(), new_user()
    chosen(lab, user, email_kinds=frozenset({"promise_broken"}))
    lab.running(other, "gpu-4", hours=100)
    ticket = lab.pool.ask(user).json()["ticket"]
    notice = Notice(ticket, "1/broken", "promise_broken", lab.pool.clock(), "Later than you were told.")
    lab.pool.call(lab.pool.parts.desk.change(lambda change: tell(change, notice), replan=False))
    assert waiting(lab) == 1
    lab.pool.pass_time(GIVE_UP_AFTER + MINUTE)
    until_done(lab)
    assert lab.pool.trail(ticket)[-1] == "notice_given_up"


def test_a_restart_sends_what_was_not_sent_and_nothing_twice(lab: Lab, box: Mailbox, new_user: NewUser):
    users = [new_user(), new_user()]
    for user in users:
        chosen(lab, user)
    box.answers.append("451 busy")
    granted_after_waiting(lab, new_user(), *users)
    wait_until(lambda: len(box.tried) == 2 and waiting(lab) == 1, "one mail sent and one refused for now")
    lab.pool.stop()
    lab.pool.clock.ahead += CLAIM
    lab.pool.start()
    until_done(lab)
    assert sorted(box.recipients) == sorted(map(address, users))


def test_nothing_waits_for_a_program_that_does_not_answer(lab: Lab, box: Mailbox, hook: Hook, new_user: NewUser):
    user, mailed = new_user(), new_user()
    with_hook(lab, user, hook)
    chosen(lab, mailed)
    hook.silent.set()
    granted_after_waiting(lab, new_user(), user, mailed)
    hook.await_call()
    box.await_mail(address(mailed))
    assert lab.pool.ask(new_user()).status_code == 200
    assert waiting(lab, Way.WEBHOOK) == 1
    hook.silent.clear()


def test_a_call_is_signed_as_standard_webhooks_say(lab: Lab, hook: Hook, new_user: NewUser):
    user = new_user()
    with_hook(lab, user, hook)
    (ticket,) = granted_after_waiting(lab, new_user(), user)
    call = hook.await_call()
    until_done(lab, Way.WEBHOOK)
    told = json.loads(call.body)
    assert signed(call, SECRET)
    assert not signed(replace(call, body=call.body + b" "), SECRET)
    assert (call.path, call.headers["host"]) == ("/hook?a=1", f"localhost:{hook.port}")
    assert (told["type"], told["data"]["ticket"], told["data"]["user"]) == ("notice.granted", ticket, user)
    assert told["data"]["url"] == f"https://hub.example.org/services/pool/tickets/{ticket}"


@pytest.mark.parametrize("status", [500, 302, 308, 404])
def test_any_answer_but_success_is_tried_again_and_no_redirect_followed(
    lab: Lab, hook: Hook, new_user: NewUser, status: int
):
    user = new_user()
    with_hook(lab, user, hook)
    hook.answers += [status]
    granted_after_waiting(lab, new_user(), user)
    first = hook.await_call()
    pass_the_pause(lab, Way.WEBHOOK)
    second = hook.await_call(2)
    until_done(lab, Way.WEBHOOK)
    assert [call.path for call in hook.calls] == ["/hook?a=1"] * 2
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_a_program_that_answers_gone_is_not_called_again(lab: Lab, hook: Hook, new_user: NewUser):
    user = new_user()
    with_hook(lab, user, hook)
    hook.answers += [410]
    (ticket,) = granted_after_waiting(lab, new_user(), user)
    hook.await_call()
    until_done(lab, Way.WEBHOOK)
    assert "notice_given_up" in lab.pool.trail(ticket)


def test_no_mail_in_quiet_hours_and_none_after_them_that_is_not_true_any_more(
    lab: Lab, box: Mailbox, new_user: NewUser
):
    user, other = new_user(), new_user()
    soon = lab.pool.clock() + timedelta(minutes=20)
    hours = {"quiet_from": f"{lab.pool.clock() - timedelta(hours=1):%H:%M}", "quiet_to": f"{soon:%H:%M}"}
    chosen(lab, user, **hours)
    chosen(lab, other, **hours)
    claimed, ticket = granted_after_waiting(lab, new_user(), user, other)
    lab.use(lab.pool.ticket(claimed))
    assert (waiting(lab), box.tried) == (2, [])
    lab.pool.pass_time(timedelta(minutes=20))
    assert ticket in str(box.await_mail(address(other)).get_content())
    until_done(lab)
    assert box.recipients == [address(other)]


def test_what_breaks_off_inside_is_a_failed_try_like_any_other(lab: Lab, hook: Hook, new_user: NewUser):
    def failed() -> float:
        labels = {"way": "webhook"}
        return lab.pool.parts.desk.counts.registry.get_sample_value("labpool_notice_tries_failed_total", labels) or 0

    before, user = failed(), new_user()
    with_hook(lab, user, hook, secret="whsec_A")  # which is no base64
    granted_after_waiting(lab, new_user(), user)
    wait_until(lambda: failed() == before + 1, "the failed try")
    assert (hook.calls, waiting(lab, Way.WEBHOOK)) == ([], 1)


def test_what_was_sent_a_quarter_of_a_year_ago_is_forgotten(lab: Lab, box: Mailbox, new_user: NewUser):
    user, desk = new_user(), lab.pool.parts.desk
    chosen(lab, user)
    granted_after_waiting(lab, new_user(), user)
    until_done(lab)

    then = desk.clock()

    def kept() -> bool:
        return lab.pool.call(desk.view(lambda view: view.outbox.has_done(then)))

    lab.pool.call(forget_old(desk))
    assert kept()
    lab.pool.pass_time(KEPT + MINUTE)
    lab.pool.call(forget_old(desk))
    assert not kept()


def test_pauses_between_tries_grow_to_an_hour():
    pauses = [pause_after(tries) for tries in range(1, 40)]
    assert pauses[:3] == [timedelta(seconds=30), MINUTE, 2 * MINUTE]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=1) < GIVE_UP_AFTER
