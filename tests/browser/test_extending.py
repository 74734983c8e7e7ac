"""Having one's GPUs longer: by keyboard, and told in words where it is not possible."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.axe import check_with_axe
from tests.browser.person import Person
from tests.real_hub import wait_until
from tests.running_lab import RunningLab

pytestmark = [pytest.mark.hub, pytest.mark.browser]


def run(person: Person, profile: str) -> str:
    """Start a server for two hours and use it; give the path of its ticket."""
    person.start(profile, hours="2")
    person.page.wait_for_url(person.in_server())
    wait_until(lambda: person.lab.home(person.name).tickets[0].server_ready, "the pool's look at the server")
    person.lab.use(person.name)
    return person.lab.home(person.name).tickets[0].path


def test_lease_is_extended_by_keyboard_and_its_new_end_is_said(ada: Person, lab: RunningLab):
    run(ada, "One GPU")
    ada.open("/hub/home").get_by_role("link", name="Extend One GPU for Vision group").click()
    expect(ada.page).to_have_url(re.compile("#extend$"))
    choices = ada.ticket.get_by_role("group", name="Extend by").get_by_role("button")
    expect(choices.first).to_have_text(re.compile("^30 min, until "))
    expect(choices.last).to_have_text(re.compile("^6 h, until "))
    check_with_axe(ada.page)
    choices.filter(has_text="4 h").focus()
    ada.page.keyboard.press("Enter")
    expect(ada.ticket).to_contain_text("You extended this server by 4 h.")
    expect(ada.page.locator("#ticket-said")).to_contain_text("You extended this server by 4 h. It ends at")
    expect(choices.last).to_have_text(re.compile("^2 h, until "))
    assert lab.home("ada").tickets[0].hours == 6
    check_with_axe(ada.page)
    choices.last.click()
    expect(ada.ticket).to_contain_text("It can't be extended now. With One GPU a server may run for 8 h in all")


def test_who_may_not_extend_is_told_why(ada: Person, bert: Person):
    path = run(ada, "Four GPUs")
    bert.wait_in_line()
    page = ada.open(path)
    expect(ada.ticket).to_contain_text("It can't be extended now. Speech group used less for its share lately")
    expect(ada.ticket.get_by_role("group", name="Extend by")).to_have_count(0)
    check_with_axe(page)
    ada.open("/hub/home")
    expect(page.get_by_role("link", name="Four GPUs for Vision group", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Extend")).to_have_count(0)
