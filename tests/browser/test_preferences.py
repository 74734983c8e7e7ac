"""Saying how one wants to be told: a confirmed address, a webhook's secret, quiet hours, and what comes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import check_with_axe
from tests.browser.conftest import SignIn
from tests.browser.person import SLOW, Person
from tests.browser.test_accessibility import press, tab_to
from tests.ports import free_ports
from tests.running_lab import POOL_YAML, RunningLab
from tests.service.receivers import Mailbox, mail_server

pytestmark = [pytest.mark.hub, pytest.mark.browser]

(MAIL_PORT,) = free_ports(1)
POOL = f"""{POOL_YAML}
notices: {{email: {{host: 127.0.0.1, port: {MAIL_PORT}, tls: none, sender: gpu-pool@example.org}}}}
"""
LINK = re.compile(r"(/services/pool/preferences\?confirm=[0-9a-f]+)")


@pytest.fixture(scope="module")
def box() -> Iterator[Mailbox]:
    with mail_server(MAIL_PORT) as box:
        yield box


def said(page: Page, words: str) -> None:
    expect(page.locator("#preferences-said")).to_have_text(words)


def follow_link(someone: Person, box: Mailbox, to: str) -> Page:
    """Open the link of the mail that confirms an address."""
    box.await_mail(to)
    found = LINK.search(box.text_to(to))
    assert found is not None
    return someone.open(found[1])


def test_address_is_confirmed_by_keyboard_and_gets_the_mail_when_it_is_ones_turn(
    all_leased: Person, bert: Person, lab: RunningLab, box: Mailbox
):
    to = "bert@example.org"
    bert.wait_in_line()
    ticket = bert.page.url
    press(bert.page, bert.ticket.get_by_role("link", name="Notify me by e-mail"))
    page = bert.page
    expect(page.get_by_text("No mail is sent to you.")).to_be_visible()
    expect(page.get_by_label("By e-mail: It is my turn")).to_be_checked()
    check_with_axe(page)
    tab_to(page, page.get_by_label("Address", exact=True))
    page.keyboard.type(to)
    press(page, page.get_by_role("button", name="Save"))
    said(page, "Saved.")
    expect(page.locator('[data-live="email"]')).to_contain_text(f"A mail is on its way to {to}.")
    check_with_axe(page)
    follow_link(bert, box, to)
    check_with_axe(page)
    press(page, page.get_by_role("button", name="Yes, confirm it"))
    said(page, "Your address is confirmed.")
    expect(page.get_by_role("heading", name="Notices")).to_be_focused()
    expect(page.locator('[data-live="email"]')).to_contain_text(f"Notices go to {to}.")
    page.goto(ticket)
    expect(bert.ticket).to_contain_text("A mail tells you then")
    expect(bert.ticket.get_by_role("link", name="Notify me by e-mail")).to_have_count(0)
    check_with_axe(page)


def test_link_that_was_followed_already_says_so(bert: Person, box: Mailbox):
    page = follow_link(bert, box, "bert@example.org")
    expect(page.get_by_text("No address of bert waits to be confirmed.")).to_be_visible()
    expect(page.get_by_role("button", name="Yes, confirm it")).to_have_count(0)


def test_secret_of_a_webhook_is_shown_once(ada: Person):
    page = ada.open("/hub/home")
    page.get_by_role("link", name="Notices", exact=True).click()
    page.get_by_label("Address of your program").fill("https://example.org/hook")
    page.get_by_role("button", name="Save").click()
    said(page, "Saved.")
    secret = page.locator("#preferences-secret code")
    expect(secret).to_have_text(re.compile("whsec_"))
    first = secret.text_content()
    check_with_axe(page)
    page.get_by_role("button", name="Make a new secret").click()
    said(page, "Calls are signed with the new secret from now on.")
    assert secret.text_content() != first
    page.reload()
    expect(page.get_by_label("Address of your program")).to_have_value("https://example.org/hook")
    expect(secret).to_be_hidden()


def test_choices_and_quiet_hours_stay_and_what_is_wrong_is_said(person: SignIn, box: Mailbox):
    olga = person("olga", timezone_id="Europe/Berlin")
    page = olga.open("/services/pool/")
    page.get_by_role("link", name="Notices by e-mail and webhook").click()
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    page.get_by_label("By webhook: My GPU hours end soon").uncheck()
    page.get_by_label("From").fill("22:00")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Quiet hours need a beginning and another time as their end.")
    page.get_by_label("To", exact=True).fill("07:00")
    page.get_by_label("Address of your program").fill("https://127.0.0.1:8081/hub/api")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("127.0.0.1 is inside a private network.")
    check_with_axe(page)
    page.get_by_label("Address of your program").fill("")
    page.get_by_role("button", name="Save").click()
    said(page, "Saved.")
    page.reload()
    expect(page.get_by_label("From")).to_have_value("22:00")
    expect(page.get_by_label("By webhook: My GPU hours end soon")).not_to_be_checked()
    expect(page.get_by_label("By webhook: It is my turn")).to_be_checked()


def test_address_that_waits_can_be_asked_again_after_a_minute(person: SignIn, box: Mailbox):
    admin = person("admin")
    page = admin.open("/services/pool/preferences")
    page.get_by_label("Address", exact=True).fill("admin@example.org")
    page.get_by_role("button", name="Save").click()
    said(page, "Saved.")
    box.await_mail("admin@example.org")
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_role("alert")).to_contain_text("Look into that mailbox", timeout=SLOW)
