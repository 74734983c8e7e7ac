"""A ticket's page outlives what is killed behind it: it catches up without being loaded again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.outage import kill_and_wait, leave_queue, pool_stopped
from tests.browser.person import SLOW, Person
from tests.running_lab import RunningLab

pytestmark = [pytest.mark.hub, pytest.mark.browser]


@pytest.fixture
def second_in_line(all_leased: Person, bert: Person, lab: RunningLab) -> Person:
    """Bert waits behind another request of Ada's."""
    lab.start_server("ada", {"project": "vision", "profile": "gpu-1", "hours": 1}, "second")
    expect(bert.wait_in_line()).to_contain_text("You are 2nd in line.")
    bert.mark()
    return bert


@pytest.mark.parametrize("part", ["pool", "proxy", "hub"])
def test_page_catches_up_after_kill_of(part: str, second_in_line: Person, lab: RunningLab):
    kill_and_wait(lab, part)
    leave_queue(lab, "ada", "second")
    expect(second_in_line.ticket).to_contain_text("You are next in line.", timeout=SLOW)
    expect(second_in_line.page.get_by_text("Not connected")).to_be_hidden()
    assert second_in_line.stayed()


def test_page_says_that_it_is_not_connected_and_its_buttons_work_when_the_pool_is_back(
    second_in_line: Person, lab: RunningLab
):
    page = second_in_line.page
    with pool_stopped(lab):
        expect(page.get_by_text("Not connected to the pool; trying again.")).to_be_visible(timeout=SLOW)
        expect(second_in_line.ticket).to_contain_text("You are 2nd in line.")
        second_in_line.ticket.get_by_role("button", name="Leave the queue").click()
        page.get_by_role("dialog").get_by_role("button", name="Leave the queue").click()
        expect(page.get_by_role("alert")).to_contain_text("can't be reached now")
    expect(page.get_by_text("Not connected")).to_be_hidden(timeout=SLOW)
    second_in_line.ticket.get_by_role("button", name="Leave the queue").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave the queue").click()
    expect(second_in_line.ticket).to_contain_text("You left the queue.")
    assert second_in_line.stayed()
