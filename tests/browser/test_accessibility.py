"""Everybody can use the pages: axe finds no serious violation, and the keyboard alone is enough."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import check_with_axe
from tests.browser.conftest import SignIn
from tests.browser.outage import kill_and_wait, leave_queue
from tests.browser.person import ON_TICKET, SLOW, Person
from tests.labpool_logs.event_files import log_scalars
from tests.running_lab import POOL_YAML, RunningLab

pytestmark = [pytest.mark.hub, pytest.mark.browser]


def test_form(all_leased: Person, bert: Person):
    bert.form()
    check_with_axe(bert.page)


def test_refused_form(ada: Person):
    ada.open("/hub/spawn/ada?_xsrf=left")
    check_with_axe(ada.page)


def test_ticket_in_line(all_leased: Person, bert: Person):
    bert.wait_in_line()
    check_with_axe(bert.page)


def test_ticket_of_a_running_server_and_its_question(all_leased: Person, lab: RunningLab):
    all_leased.open(lab.ticket("ada").path)
    check_with_axe(all_leased.page)
    all_leased.ticket.get_by_role("button", name="Give the GPUs back").click()
    check_with_axe(all_leased.page)


def test_question_whether_to_switch(all_leased: Person, bert: Person, lab: RunningLab):
    bert.work_on_cpu_meanwhile()
    lab.stop_server("ada")
    expect(bert.ticket).to_contain_text("Switch your CPU server to 1 GPU?", timeout=SLOW)
    check_with_axe(bert.page)


def test_ticket_whose_promise_was_broken(all_leased: Person, bert: Person, lab: RunningLab):
    """Three of the four GPUs are gone when the pool comes back, and the promise of the second in line with them."""
    lab.start_server("ada", {"project": "vision", "profile": "gpu-1", "hours": 1}, "second")
    bert.wait_in_line()
    try:
        lab.write_pool_yaml(POOL_YAML.replace("devices: {demo-gpu: 4}", "devices: {demo-gpu: 1}"))
        kill_and_wait(lab, "pool")
        expect(bert.ticket).to_contain_text("That cannot be kept", timeout=SLOW)
        check_with_axe(bert.page)
    finally:
        lab.write_pool_yaml(POOL_YAML)
        kill_and_wait(lab, "pool")


def test_ended_ticket(all_leased: Person, bert: Person, lab: RunningLab):
    bert.wait_in_line()
    leave_queue(lab, "bert", "")
    expect(bert.ticket).to_contain_text("This ticket has ended.")
    check_with_axe(bert.page)


def test_my_tickets_and_home(all_leased: Person):
    for path in ("/services/pool/", "/hub/home"):
        all_leased.open(path)
        expect(all_leased.page.get_by_role("link", name="Four GPUs for Vision group").first).to_be_visible()
        expect(all_leased.page.get_by_text("simulated").first).to_be_visible()
        check_with_axe(all_leased.page)


def test_list_of_logs(ada: Person, lab: RunningLab):
    log_scalars(lab.place.logs_of("ada") / "vision/run", "loss", [1.0])
    ada.open("/logs/")
    expect(ada.page.get_by_role("link", name="vision")).to_be_visible()
    check_with_axe(ada.page)


def test_refusal(ada: Person):
    ada.open("/services/pool/tickets/none")
    check_with_axe(ada.page)


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until `wanted` has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab never reached {wanted} on {page.url}")


def press(page: Page, wanted: Locator) -> None:
    """Go to `wanted` by Tab and press Enter."""
    tab_to(page, wanted)
    page.keyboard.press("Enter")


def ask_for_one_gpu_by_keys(page: Page) -> None:
    """Fill in the form that is open, and send it."""
    tab_to(page, page.get_by_label("Project"))
    page.keyboard.press("Tab")
    while not page.get_by_role("radio", name="One GPU").is_checked():
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Hours", exact=True)).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("2")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")


def test_signing_in_by_keyboard_alone_leads_to_the_form(person: SignIn, lab: RunningLab):
    bert = person("bert", anew=True)
    bert.open("/hub/logout")
    page = bert.open("/hub/spawn/bert")
    tab_to(page, page.get_by_label("Username"))
    page.keyboard.type("bert")
    tab_to(page, page.locator("#password_input"))
    page.keyboard.type(lab.place.secret("demo_password"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Project")).to_be_visible()


def test_waiting_and_leaving_by_keyboard_alone(all_leased: Person, bert: Person, lab: RunningLab):
    page = bert.form()
    ask_for_one_gpu_by_keys(page)
    page.wait_for_url(ON_TICKET)
    leave, dialog = bert.ticket.get_by_role("button", name="Leave the queue"), page.get_by_role("dialog")
    press(page, leave)
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(leave).to_be_focused()
    page.keyboard.press("Enter")
    press(page, dialog.get_by_role("button", name="Leave the queue"))
    expect(bert.ticket).to_contain_text("You left the queue.")
    press(page, bert.ticket.get_by_role("link", name="Ask again"))
    ask_for_one_gpu_by_keys(page)
    page.wait_for_url(ON_TICKET)
    press(all_leased.open("/hub/home"), all_leased.page.get_by_role("button", name="Stop My Server"))
    page.wait_for_url(bert.in_server(), timeout=SLOW)


def test_cpu_meanwhile_switch_and_tensorboard_by_keyboard_alone(all_leased: Person, bert: Person, lab: RunningLab):
    bert.wait_in_line()
    page, address = bert.page, bert.page.url
    press(page, bert.ticket.get_by_role("link", name="Work on CPU meanwhile"))
    page.wait_for_url(bert.in_server(), timeout=SLOW)
    page.goto(address)
    lab.stop_server("ada")
    expect(bert.ticket).to_contain_text("Switch your CPU server to 1 GPU?", timeout=SLOW)
    press(page, bert.ticket.get_by_role("button", name="Switch to GPU"))
    page.wait_for_url(bert.in_server(), timeout=SLOW)
    page.goto(address)
    press(page, bert.ticket.get_by_role("link", name="TensorBoard"))
    page.wait_for_url("**/logs/bert/speech/**")
    page.goto(address)
    press(page, bert.ticket.get_by_role("button", name="Give the GPUs back"))
    press(page, page.get_by_role("dialog").get_by_role("button", name="Give the GPUs back"))
    expect(bert.ticket).to_contain_text("You stopped this server.", timeout=SLOW)


def test_ticket_that_waits_for_another_server_to_be_stopped(all_leased: Person, bert: Person, lab: RunningLab):
    bert.wait_in_line()
    for name in ("a", "b", "c"):
        lab.start_server("bert", {"project": "speech", "profile": "cpu"}, name)
        lab.wait_ready("bert", name)
    lab.stop_server("ada")
    expect(bert.ticket).to_contain_text("Stop one of your other servers", timeout=SLOW)
    check_with_axe(bert.page)
    lab.stop_server("bert", "b")
    bert.page.wait_for_url(bert.in_server(), timeout=SLOW)


def test_focus_stays_when_the_ticket_page_changes(all_leased: Person, bert: Person, lab: RunningLab):
    lab.start_server("ada", {"project": "vision", "profile": "gpu-1", "hours": 1}, "second")
    bert.wait_in_line()
    leave = bert.ticket.get_by_role("button", name="Leave the queue")
    tab_to(bert.page, leave)
    leave_queue(lab, "ada", "second")
    expect(bert.ticket).to_contain_text("You are next in line.")
    expect(leave).to_be_focused()
