"""Borrowed GPUs go back: what their user and their owner see of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.axe import check_with_axe
from tests.browser.conftest import SignIn
from tests.browser.person import Person
from tests.real_hub import wait_until
from tests.running_lab import POOL_YAML, RunningLab

pytestmark = [pytest.mark.hub, pytest.mark.browser]

LENT = "nominal: {demo-gpu: 2}\n    borrow: {demo-gpu: 2}"
SOON = "{wait_before_taking_minutes: 0.02, borrow_min_minutes: 0.02, grace_minutes: 8, shortest_minutes"
POOL = POOL_YAML.replace("nominal: {demo-gpu: 4}", LENT).replace("{shortest_minutes", SOON)


def test_borrower_is_told_and_chooses_what_comes_then(all_leased: Person, bert: Person, lab: RunningLab):
    lab.use("ada")
    bert.wait_in_line()
    wait_until(lambda: lab.home("ada").tickets[0].state == "reclaiming", "the taking back")
    all_leased.open("/hub/home")
    expect(all_leased.page.get_by_text("Save your work")).to_be_visible()
    page = all_leased.open(lab.home("ada").tickets[0].path)
    expect(all_leased.ticket).to_contain_text("go back to the project that they belong to")
    expect(all_leased.ticket).to_contain_text("in line again by itself")
    expect(page).to_have_title("Your GPUs go back - GPU pool")
    all_leased.ticket.get_by_role("button", name="Don't start again").click()
    expect(all_leased.ticket).to_contain_text("Your request ends with it")
    all_leased.ticket.get_by_role("button", name="Start again by itself").click()
    expect(all_leased.ticket).to_contain_text("in line again by itself")
    expect(bert.ticket).to_contain_text("now planned for")
    check_with_axe(page)


def test_who_needs_to_borrow_is_told_that_nothing_is_promised(all_leased: Person, person: SignIn, lab: RunningLab):
    olga = person("olga")
    olga.wait_in_line("Four GPUs")
    expect(olga.ticket).to_contain_text("No latest time is promised")
    expect(olga.ticket).to_contain_text("Likely")
    assert lab.home("olga").tickets[0].starts_by is None
