"""A project's budget before a person's eyes: on the form, on the ticket's page and on the pool's."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.axe import check_with_axe
from tests.browser.conftest import SignIn
from tests.browser.person import ON_TICKET, SLOW, Person
from tests.running_lab import POOL_YAML, RunningLab

pytestmark = [pytest.mark.hub, pytest.mark.browser]

# olga is in both projects
POOL = POOL_YAML.replace(
    "    nominal: {demo-gpu: 4}\n", "    nominal: {demo-gpu: 4}\n    budget: {gpu_hours: 4, per: year}\n"
).replace("members: {groups: [speech]}", "members: {groups: [speech, vision-owners]}")


AN_HOUR = r"(1|0\.9\d)"
"""What is left beside Ada's server; the tests before used some seconds."""


@pytest.fixture
def ada(person: SignIn) -> Person:
    """Ada runs a server for three of the four GPU-hours that her project has."""
    ada = person("ada")
    ada.start("One GPU", hours="3")
    ada.page.wait_for_url(ada.in_server())
    return ada


def test_form_tells_what_is_left_and_what_the_chosen_hours_cost(ada: Person, person: SignIn, lab: RunningLab):
    olga = person("olga")
    page = olga.form()
    left = page.locator("#labpool-budget-vision")
    expect(left).to_have_text(re.compile(f"^{AN_HOUR} of 4 GPU-hours left this year$"))
    summary = page.locator("#labpool-summary")
    olga.choose("One GPU", "0.5")
    expect(summary).to_have_text(re.compile(r"^Started now, it ends .*\d\d.* and costs 0\.5 GPU-hours\.$"))
    expect(page.locator("label", has_text="Two GPUs")).to_contain_text("costs 1 GPU-hour")
    olga.choose("One GPU", "2.5")
    expect(summary).to_have_text(
        re.compile(rf"^You get a place in line.* costs 2\.5 GPU-hours; Vision group has {AN_HOUR} left this year\.$")
    )
    olga.choose("One GPU", "6")
    expect(summary).to_have_text("That would cost 6 GPU-hours, more than Vision group has in a whole year.")
    check_with_axe(page)
    page.get_by_label("Project").select_option("Speech group")
    expect(left).to_be_hidden()
    expect(page.get_by_text("left this year")).to_have_count(1)
    olga.choose("One GPU", "6")
    expect(summary).to_contain_text("costs 6 GPU-hours.")
    page.get_by_label("Project").select_option("Vision group")
    olga.mark()
    lab.stop_server("ada")
    expect(left).to_have_text(re.compile("^3.9.* of 4 GPU-hours left this year$"), timeout=SLOW)
    assert olga.stayed()


def test_ticket_that_waits_for_the_budget_says_so_and_starts_when_hours_come_back(
    ada: Person, person: SignIn, lab: RunningLab
):
    olga = person("olga")
    olga.start("One GPU", hours="2")
    olga.page.wait_for_url(ON_TICKET)
    expect(olga.ticket).to_contain_text(
        re.compile(f"Vision group has {AN_HOUR} GPU-hours of this year left that are not set")
    )
    expect(olga.ticket).to_contain_text("you ask for 2; its budget begins anew at")
    expect(olga.ticket).to_contain_text("Ask for less time to start sooner")
    expect(olga.ticket.get_by_role("button", name=re.compile("Take it: One GPU for"))).to_be_enabled()
    check_with_axe(olga.page)
    lab.stop_server("ada")
    olga.page.wait_for_url(olga.in_server(), timeout=SLOW)


def test_pool_page_shows_used_set_aside_and_left(ada: Person, lab: RunningLab):
    page = ada.open("/services/pool/")
    row = page.get_by_role("listitem").filter(has_text="GPU-hours")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Vision group")
    expect(row).to_contain_text(re.compile(f"{AN_HOUR} of 4 GPU-hours left this year"))
    expect(row).to_contain_text(re.compile(r"0(\.0\d)? used, 3 set aside"))
    check_with_axe(page)
