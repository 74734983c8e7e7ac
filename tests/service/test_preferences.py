"""How somebody wants to be told: over the API, with an address that must be confirmed and a secret shown once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from labpool.store import AuditEntry

from tests.real_hub import wait_until
from tests.service.lab import Lab
from tests.service.receivers import Hook, Mailbox
from tests.service.sending import MINUTE, address, box, granted_after_waiting, hook, lab, ports, sending_lab, signed
from tests.service.test_api import ACCESS, READ, WRITE

pytestmark = pytest.mark.once

__all__ = ["box", "hook", "lab", "ports", "sending_lab"]

NewUser = Callable[[], str]
ALL = ["ending", "granted"]


class Chooser:
    """A user who says how they want to be told."""

    def __init__(self, lab: Lab, user: str) -> None:
        headers = {"Authorization": f"Bearer {lab.hub.token_for(user, [ACCESS, READ, WRITE])}"}
        base = f"{lab.pool.url}/api/v1/me"
        self.name, self.client = user, httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=30)

    def chooses(self, **asked: object) -> httpx.Response:
        return self.client.put("/preferences", json=asked)

    def confirms(self, box: Mailbox, to: str) -> httpx.Response:
        return self.client.post("/preferences/email/confirm", json={"token": token_in(box, to)})

    def shown(self) -> dict[str, object]:
        answer = self.client.get("/preferences")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def token_in(box: Mailbox, to: str) -> str:
    """The token of the link in the last mail to an address."""
    found = re.search(r"https://hub\.example\.org/services/pool/preferences\?confirm=([0-9a-f]+)\n", box.text_to(to))
    assert found is not None
    return found[1]


@pytest.fixture
def ada(lab: Lab, new_user: NewUser) -> Iterator[Chooser]:
    chooser = Chooser(lab, new_user())
    yield chooser
    chooser.client.close()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["reason"]


def test_who_set_nothing_sees_what_would_be_sent(ada: Chooser):
    shown = ada.shown()
    assert (shown["email"], shown["unconfirmed"], shown["webhook_url"], shown["sends_mail"]) == ("", "", "", True)
    assert "granted" in shown["email_kinds"]  # type: ignore[operator]
    assert "extended" not in shown["email_kinds"]  # type: ignore[operator]


def test_nothing_but_the_question_goes_to_an_address_before_it_is_confirmed(
    lab: Lab, box: Mailbox, ada: Chooser, new_user: NewUser
):
    to = address(ada.name)
    assert ada.chooses(email=to, email_kinds=ALL).json()["unconfirmed"] == to
    box.await_mail(to)
    granted_after_waiting(lab, new_user(), ada.name)
    assert ada.shown()["email"] == ""
    assert [mail["Subject"] for mail in box.mails] == ["Confirm your address for notices of the GPU pool"]
    assert "If you did not ask for that, do nothing" in box.text_to(to)


def test_a_confirmed_address_gets_what_was_chosen(lab: Lab, box: Mailbox, ada: Chooser, new_user: NewUser):
    to = address(ada.name)
    ada.chooses(email=to, email_kinds=ALL)
    box.await_mail(to)
    assert ada.confirms(box, to).json()["email"] == to
    assert refusal(ada.confirms(box, to)) == (409, "link_not_valid")
    granted_after_waiting(lab, new_user(), ada.name)
    assert box.await_mail(to, 2)["Subject"].startswith("It is your turn")


def test_the_link_is_of_use_to_its_own_user_only_and_for_a_day(lab: Lab, box: Mailbox, ada: Chooser, new_user: NewUser):
    to = address(ada.name)
    ada.chooses(email=to)
    box.await_mail(to)
    other = Chooser(lab, new_user())
    assert refusal(other.confirms(box, to)) == (409, "link_not_valid")
    lab.pool.clock.ahead += timedelta(days=1)
    assert refusal(ada.confirms(box, to)) == (409, "link_not_valid")


def test_another_address_leaves_the_old_one_in_force_until_it_is_confirmed(box: Mailbox, ada: Chooser, lab: Lab):
    old, new = address(ada.name), f"new-{address(ada.name)}"
    ada.chooses(email=old)
    box.await_mail(old)
    ada.confirms(box, old)
    lab.pool.pass_time(MINUTE)
    ada.chooses(email=new)
    box.await_mail(new)
    assert (ada.shown()["email"], ada.shown()["unconfirmed"]) == (old, new)
    ada.confirms(box, new)
    assert (ada.shown()["email"], ada.shown()["unconfirmed"]) == (new, "")
    ada.chooses()
    assert ada.shown()["email"] == ""


def test_the_pool_can_not_be_made_to_pester_strangers(lab: Lab, box: Mailbox, ada: Chooser):
    ada.chooses(email=address("a"))
    refused = ada.chooses(email=address("b"))
    assert (refusal(refused), refused.headers["retry-after"]) == ((429, "too_many_mails"), "60")
    assert ada.shown()["unconfirmed"] == address("a")
    for _ in range(4):
        lab.pool.pass_time(MINUTE)
        assert ada.client.post("/preferences/email/ask").status_code == 200
    lab.pool.pass_time(MINUTE)
    assert refusal(ada.client.post("/preferences/email/ask")) == (429, "too_many_mails")
    wait_until(lambda: len(box.mails) > 0, "a mail")
    assert len(box.mails) <= 5


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"email": "ada"}, "no_address"),
        ({"email": "ada@example.org\nBcc: bert@example.org"}, "no_address"),
        ({"email": "ada@example.org, bert@example.org"}, "no_address"),
        ({"email": "Ada <ada@example.org>"}, "no_address"),
        ({"webhook_url": "http://example.org"}, "webhook_not_allowed"),
        ({"webhook_url": "https://127.0.0.1:8001/api/routes"}, "webhook_not_allowed"),
        ({"timezone": "Berlin"}, "unknown_time_zone"),
        ({"quiet_from": "22:00"}, "half_quiet_hours"),
        ({"quiet_from": "22:00", "quiet_to": "22:00"}, "half_quiet_hours"),
        ({"quiet_from": "25:00", "quiet_to": "07:00"}, "invalid_request"),
        ({"email_kinds": ["lunch"]}, "invalid_request"),
        ({"e-mail": "ada@example.org"}, "invalid_request"),
    ],
)
def test_what_can_not_be_is_refused_and_changes_nothing(ada: Chooser, asked: dict[str, object], reason: str):
    before = ada.shown()
    assert refusal(ada.chooses(**asked)) == (422, reason)
    assert ada.shown() == before


def test_the_secret_of_a_webhook_is_shown_once_and_signs_its_calls(
    lab: Lab, hook: Hook, ada: Chooser, new_user: NewUser
):
    saved = ada.chooses(webhook_url=hook.url, webhook_kinds=["granted"]).json()
    assert saved["webhook_secret"].startswith("whsec_")
    assert "webhook_secret" not in ada.shown()
    assert ada.chooses(webhook_url=hook.url, webhook_kinds=["granted"]).json()["webhook_secret"] is None
    renewed = ada.client.post("/preferences/webhook/secret").json()["webhook_secret"]
    assert renewed != saved["webhook_secret"]
    granted_after_waiting(lab, new_user(), ada.name)
    call = hook.await_call()
    assert signed(call, renewed)
    assert not signed(call, saved["webhook_secret"])


def test_without_a_webhook_there_is_no_secret(ada: Chooser):
    assert refusal(ada.client.post("/preferences/webhook/secret")) == (409, "no_webhook")


def test_quiet_hours_come_back_and_go_again(ada: Chooser):
    ada.chooses(quiet_from="22:00", quiet_to="07:00", timezone="Europe/Berlin")
    shown = ada.shown()
    assert (shown["quiet_from"], shown["quiet_to"], shown["timezone"]) == ("22:00", "07:00", "Europe/Berlin")
    ada.chooses()
    assert ada.shown()["quiet_from"] is None


def test_the_audit_trail_tells_of_a_change_without_the_address(lab: Lab, ada: Chooser):
    ada.chooses(email=address("secret"))
    entries: tuple[AuditEntry, ...] = lab.pool.call(lab.pool.parts.desk.view(lambda view: view.audit_trail()))
    mine = [entry for entry in entries if entry.actor == ada.name]
    assert [(entry.event, entry.detail) for entry in mine] == [("preferences_changed", "e-mail not confirmed")]


def test_a_service_has_no_preferences(lab: Lab):
    headers = {"Authorization": f"Bearer {lab.hub.admin_token}"}
    answer = httpx.get(f"{lab.pool.url}/api/v1/me/preferences", headers=headers, trust_env=False)
    assert refusal(answer) == (403, "no_person")
