"""Notices reach mailboxes and programs: once, by real servers that may misbehave, and without holding the pool up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from labpool.service.sending.round import CLAIM, GIVE_UP_AFTER, pause_after
from labpool.service.telling import tell
from labpool.store import Notice, Preferences, Way
from standardwebhooks import Webhook

from tests.ports import free_ports
from tests.real_hub import wait_until
from tests.service.conftest import USERS, give_everything_back, pool_before_hub
from tests.service.lab import Lab
from tests.service.receivers import Hook, Mailbox, hook_server, mail_server
from tests.service.running_pool import POOL_YAML

NewUser = Callable[[], str]
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


@pytest.fixture(scope="module")
def sending_lab(tmp_path_factory: pytest.TempPathFactory, ports: tuple[int, int]) -> Iterator[Lab]:
    """A pool with a mail server and a host that webhooks may call."""
    mail, hook = ports
    pool_yaml = POOL_YAML.replace("max_hours: 8", "max_hours: 100") + NOTICES.format(mail=mail, hook=hook)
    with pool_before_hub(tmp_path_factory.mktemp("sending"), USERS, pool_yaml) as (pool, hub):
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


def with_hook(lab: Lab, user: str, hook: Hook, kinds: frozenset[str] = frozenset({"granted"})) -> None:
    chosen(lab, user, email="", webhook_url=hook.url, webhook_secret=SECRET, webhook_kinds=kinds)


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
    lab.pool.pass_time(pause_after(1))
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
    headers, told = call.headers, json.loads(call.body)
    assert signed(headers, call.body)
    assert not signed(headers, call.body + b" ")
    assert (call.path, headers["host"]) == ("/hook?a=1", f"localhost:{hook.port}")
    assert (told["type"], told["data"]["ticket"], told["data"]["user"]) == ("notice.granted", ticket, user)
    assert told["data"]["url"] == f"https://hub.example.org/services/pool/tickets/{ticket}"


def signed(headers: dict[str, str], body: bytes) -> bool:
    """Whether the scheme's own library accepts a call."""
    try:
        Webhook(SECRET).verify(body, headers)
    except Exception:
        return False
    return True


@pytest.mark.parametrize("status", [500, 302, 308, 404])
def test_any_answer_but_success_is_tried_again_and_no_redirect_followed(
    lab: Lab, hook: Hook, new_user: NewUser, status: int
):
    user = new_user()
    with_hook(lab, user, hook)
    hook.answers += [status]
    granted_after_waiting(lab, new_user(), user)
    first = hook.await_call()
    lab.pool.pass_time(pause_after(1))
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


def test_pauses_between_tries_grow_to_an_hour():
    pauses = [pause_after(tries) for tries in range(1, 40)]
    assert pauses[:3] == [timedelta(seconds=30), MINUTE, 2 * MINUTE]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=1) < GIVE_UP_AFTER
