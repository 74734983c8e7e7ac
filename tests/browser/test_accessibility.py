"""Everybody can use the pages: axe finds no serious violation, and the keyboard alone is enough."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.browser.conftest import SCREEN
from tests.browser.outage import leave_queue
from tests.browser.person import ON_TICKET, SLOW, Person
from tests.labpool_logs.event_files import log_scalars
from tests.real_hub import REPOSITORY
from tests.running_lab import RunningLab

pytestmark = [pytest.mark.hub, pytest.mark.browser]

AXE = REPOSITORY / "node_modules/axe-core/axe.min.js"
PHONE: ViewportSize = {"width": 390, "height": 844}
SIGHTS: list[tuple[ViewportSize, str]] = [(size, theme) for size in (SCREEN, PHONE) for theme in ("light", "dark")]


def violations(page: Page) -> list[str]:
    """What axe-core counts as serious or critical on the page as it is shown now."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    return [
        f"{each['id']}: {node['html'][:200]} {node['failureSummary']}" for each in serious for node in each["nodes"]
    ]


def check(page: Page) -> None:
    """Look with axe at both sizes, light and dark; nothing may be wider than the screen."""
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = []
    for size, theme in SIGHTS:
        page.set_viewport_size(size)
        page.evaluate(f"document.documentElement.setAttribute('data-bs-theme', {json.dumps(theme)})")
        found += [f"{size['width']} pixels, {theme}: {violation}" for violation in violations(page)]
        widest = page.evaluate("document.documentElement.scrollWidth")
        if widest > size["width"]:
            found.append(f"{widest} pixels wide on {size['width']}")
    assert not found, "\n".join([page.url, *found])


def test_form(all_leased: Person, bert: Person):
    bert.form()
    check(bert.page)


def test_refused_form(ada: Person):
    ada.open("/hub/spawn/ada?_xsrf=left")
    check(ada.page)


def test_ticket_in_line(all_leased: Person, bert: Person):
    bert.wait_in_line()
    check(bert.page)


def test_ticket_of_a_running_server_and_its_question(all_leased: Person, lab: RunningLab):
    all_leased.open(lab.ticket("ada").path)
    check(all_leased.page)
    all_leased.ticket.get_by_role("button", name="Give the GPUs back").click()
    check(all_leased.page)


def test_ended_ticket(all_leased: Person, bert: Person, lab: RunningLab):
    bert.wait_in_line()
    leave_queue(lab, "bert", "")
    expect(bert.ticket).to_contain_text("This ticket has ended.")
    check(bert.page)


def test_my_tickets_and_home(all_leased: Person):
    for path in ("/services/pool/", "/hub/home"):
        all_leased.open(path)
        expect(all_leased.page.get_by_role("link", name="Four GPUs for Vision group").first).to_be_visible()
        check(all_leased.page)


def test_list_of_logs(ada: Person, lab: RunningLab):
    log_scalars(lab.place.logs_of("ada") / "vision/run", "loss", [1.0])
    ada.open("/logs/")
    expect(ada.page.get_by_role("link", name="vision")).to_be_visible()
    check(ada.page)


def test_refusal(ada: Person):
    ada.open("/services/pool/tickets/none")
    check(ada.page)


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until `wanted` has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab never reached {wanted} on {page.url}")


def test_story_can_be_walked_by_keyboard_alone(all_leased: Person, bert: Person, lab: RunningLab):
    page = bert.form()
    tab_to(page, page.get_by_label("Project"))
    page.keyboard.press("Tab")
    while not page.get_by_role("radio", name="One GPU").is_checked():
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Hours")).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("2")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(ON_TICKET)
    leave = bert.ticket.get_by_role("button", name="Leave the queue")
    tab_to(page, leave)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(leave).to_be_focused()
    lab.stop_server("ada")
    page.wait_for_url(bert.in_server(), timeout=SLOW)


def test_focus_stays_when_the_ticket_page_changes(all_leased: Person, bert: Person, lab: RunningLab):
    lab.start_server("ada", {"project": "vision", "profile": "gpu-1", "hours": 1}, "second")
    bert.wait_in_line()
    leave = bert.ticket.get_by_role("button", name="Leave the queue")
    tab_to(bert.page, leave)
    leave_queue(lab, "ada", "second")
    expect(bert.ticket).to_contain_text("You are next in line.")
    expect(leave).to_be_focused()
