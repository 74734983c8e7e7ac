"""How GPU hours end, as their holder sees it: a warning in time, then the reason."""

from __future__ import annotations

import re

import pytest
from labpool.api_models import TicketView
from playwright.sync_api import expect

from tests.browser.axe import check_with_axe
from tests.browser.person import SLOW, Person
from tests.real_hub import wait_until
from tests.running_lab import POOL_YAML, RunningLab
from tests.using import use

pytestmark = [pytest.mark.hub, pytest.mark.browser, pytest.mark.long]

POOL = POOL_YAML.replace("queue:\n  {", "queue:\n  {notice_minutes: [1, 0.1], claim_minutes: 0.1, ")
A_MINUTE_AND_A_BIT, SECONDS = 0.0185, 0.004
"""Hours: the first notice comes a few seconds after the start; the end does."""


def start_and_use(lab: RunningLab, hours: float) -> TicketView:
    """Ada's server with one GPU runs and was used, which JupyterLab's extension reports and this server doesn't."""
    lab.start_server("ada", {"project": "vision", "profile": "gpu-1", "hours": hours})
    lab.wait_ready("ada")
    use(lab, "ada")
    ticket = lab.ticket("ada")
    assert ticket is not None
    return ticket


def test_notice_of_the_end_stands_on_ticket_page_and_home(ada: Person, lab: RunningLab):
    ada.open(start_and_use(lab, A_MINUTE_AND_A_BIT).path)
    expect(ada.ticket).to_contain_text("Your GPU hours end soon. Save your work", timeout=SLOW)
    expect(ada.ticket).to_contain_text(re.compile(r"They end at .+ \((\d min|less than a minute) left\)"))
    check_with_axe(ada.page)
    ada.open("/hub/home")
    expect(ada.page.get_by_text("Your GPU hours end soon.")).to_be_visible()
    expect(ada.page.get_by_text(re.compile(r"until .+ \((\d min|less than a minute) left\)"))).to_be_visible()
    check_with_axe(ada.page)


def test_ended_hours_are_the_reason_on_the_page_that_stayed_open(ada: Person, lab: RunningLab):
    ada.open(start_and_use(lab, SECONDS).path)
    ada.mark()
    expect(ada.ticket).to_contain_text("The hours you asked for were over.", timeout=SLOW)
    expect(ada.ticket).to_contain_text("Your files and your training curves are kept.")
    assert ada.stayed()
    assert lab.servers("ada") == {}


def test_unused_grant_goes_back_to_the_line_and_comes_again_when_its_user_says_ready(
    all_leased: Person, bert: Person, lab: RunningLab
):
    ticket = bert.wait_in_line()
    bert.page.evaluate("Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'})")
    lab.stop_server("ada")
    expect(ticket).to_contain_text("Are you still there?", timeout=SLOW)
    wait_until(lambda: lab.leased() == {}, "the devices' return")
    check_with_axe(bert.page)
    ticket.get_by_role("button", name="I'm ready").click()
    expect(ticket).to_contain_text(re.compile("your server is starting|Your server is ready"), timeout=SLOW)
