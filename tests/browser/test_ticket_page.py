"""The page of a ticket: honest about the queue, alive without reloading, and never in the way."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.axe import check_with_axe
from tests.browser.conftest import SignIn
from tests.browser.person import ON_TICKET, SLOW, Person, fill_in_sign_in
from tests.clearing import clear
from tests.running_lab import RunningLab

pytestmark = [pytest.mark.hub, pytest.mark.browser]


def test_who_finds_all_gpus_leased_is_told_place_time_reason_and_what_to_do(all_leased: Person, bert: Person):
    ticket = bert.wait_in_line()
    expect(ticket).to_contain_text("You are next in line.")
    expect(ticket.get_by_text(re.compile("At the latest")).locator("time")).to_have_attribute(
        "datetime", re.compile("T")
    )
    expect(ticket).to_contain_text("all 4 GPUs")
    expect(ticket).to_contain_text("4 GPUs of Vision group")
    expect(ticket.get_by_role("button", name="Leave the queue")).to_be_enabled()
    expect(ticket.get_by_role("link", name="Work on CPU meanwhile")).to_be_visible()
    expect(ticket.get_by_role("link", name="TensorBoard")).to_have_attribute("href", "/logs/bert/speech/")
    expect(ticket).to_contain_text("simulated")
    expect(ticket).not_to_contain_text("ada")
    assert bert.page.title() == "1st in line - GPU pool"


def test_times_are_those_of_the_readers_zone(all_leased: Person, person: SignIn):
    bert = person("bert", timezone_id="Asia/Kolkata", locale="en-GB")
    promised = bert.wait_in_line().get_by_text(re.compile("At the latest")).locator("time")
    shown = bert.page.evaluate(
        """time => { const by = new Date(Math.ceil(new Date(time) / 60000) * 60000);
        return by.toLocaleTimeString("en-GB", {timeZone: "Asia/Kolkata", hour: "2-digit", minute: "2-digit"}); }""",
        promised.get_attribute("datetime"),
    )
    expect(promised).to_contain_text(shown)


def test_place_changes_on_the_page_without_reloading(all_leased: Person, person: SignIn, lab: RunningLab):
    lab.start_server("ada", {"project": "vision", "profile": "gpu-1", "hours": 1}, "second")
    bert = person("bert")
    ticket = bert.wait_in_line()
    expect(ticket).to_contain_text("You are 2nd in line.")
    bert.mark()
    all_leased.open(f"/services/pool/tickets/{lab.ticket('ada', 'second').id}")
    all_leased.page.get_by_role("button", name="Leave the queue").click()
    all_leased.page.get_by_role("dialog").get_by_role("button", name="Leave the queue").click()
    expect(all_leased.ticket).to_contain_text("You left the queue.")
    expect(ticket).to_contain_text("You are next in line.")
    assert bert.stayed()


def test_screen_reader_hears_place_and_time_once_and_again_when_they_change(all_leased: Person, bert: Person):
    bert.wait_in_line()
    said = bert.page.get_by_role("status").filter(has_text="You are next in line.")
    expect(said).to_have_text(re.compile(r"^You are next in line\. At the latest .+\.$"))
    bert.page.evaluate(
        """() => { window.spoken = []; new MutationObserver(() => window.spoken.push(1))
        .observe(document.getElementById("ticket-said"), {childList: true, characterData: true, subtree: true}); }"""
    )
    bert.page.get_by_role("button", name="Leave the queue").click()
    bert.page.get_by_role("dialog").get_by_role("button", name="Leave the queue").click()
    expect(bert.page.locator("#ticket-said")).to_contain_text("This ticket has ended.")
    assert len(bert.page.evaluate("window.spoken")) <= 2


def test_second_researchers_server_starts_by_itself_and_the_page_leads_into_it(
    all_leased: Person, bert: Person, lab: RunningLab
):
    bert.wait_in_line()
    lab.stop_server("ada")
    bert.page.wait_for_url(bert.in_server(), timeout=SLOW)
    assert lab.ticket("bert").lease is not None


def test_page_that_nobody_used_for_minutes_only_says_that_the_server_is_ready(
    all_leased: Person, bert: Person, lab: RunningLab
):
    bert.page.clock.install()
    bert.wait_in_line()
    bert.page.clock.fast_forward("03:00")
    lab.stop_server("ada")
    expect(bert.ticket).to_contain_text("Your server is ready.", timeout=SLOW)
    expect(bert.page).to_have_title(re.compile("Your server is ready"))
    expect(bert.page).to_have_url(ON_TICKET)
    bert.ticket.get_by_role("link", name="Open JupyterLab").click()
    bert.page.wait_for_url(bert.in_server())


def test_hidden_page_does_not_enter_the_server(all_leased: Person, bert: Person, lab: RunningLab):
    bert.wait_in_line()
    bert.page.evaluate("Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'})")
    lab.stop_server("ada")
    expect(bert.page).to_have_title(re.compile("Your server is ready"), timeout=SLOW)
    expect(bert.page).to_have_url(ON_TICKET)
    check_with_axe(bert.page)


def test_what_would_start_sooner_is_taken_with_two_presses(ada: Person, bert: Person, lab: RunningLab):
    lab.start_server("bert", {"project": "speech", "profile": "gpu-1", "hours": 2})
    lab.wait_ready("bert")
    ada.start("Four GPUs", hours="3")
    ada.page.wait_for_url(ON_TICKET)
    take = ada.ticket.get_by_role("button", name="Take it: Two GPUs for 3 h")
    expect(take).to_be_visible()
    check_with_axe(ada.page)
    take.click()
    ada.page.get_by_role("dialog").get_by_role("button", name="Take it").click()
    ada.page.wait_for_url(ada.in_server(), timeout=SLOW)
    assert [(each.profile, each.state) for each in lab.home("ada").tickets] == [("gpu-2", "granted")]


def test_left_queue_ends_the_ticket_and_offers_to_ask_again(all_leased: Person, bert: Person, lab: RunningLab):
    ticket = bert.wait_in_line()
    ticket.get_by_role("button", name="Leave the queue").click()
    bert.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(ticket).to_contain_text("in line")
    ticket.get_by_role("button", name="Leave the queue").click()
    bert.page.get_by_role("dialog").get_by_role("button", name="Leave the queue").click()
    expect(ticket).to_contain_text("You left the queue.")
    assert lab.ticket("bert") is None
    ticket.get_by_role("link", name="Ask again").click()
    expect(bert.page.get_by_role("button", name="Start")).to_be_visible()


def test_works_on_cpu_meanwhile_and_is_asked_to_switch_when_the_turn_comes(
    all_leased: Person, bert: Person, lab: RunningLab
):
    bert.work_on_cpu_meanwhile()
    assert lab.told("bert")["LABPOOL_PROFILE"] == "cpu"
    ticket = bert.ticket
    lab.stop_server("ada")
    expect(ticket).to_contain_text("Switch your CPU server to 1 GPU?", timeout=SLOW)
    assert lab.told("bert")["LABPOOL_PROFILE"] == "cpu"
    ticket.get_by_role("button", name="Switch to GPU").click()
    bert.page.wait_for_url(bert.in_server(), timeout=SLOW)
    assert lab.told("bert")["LABPOOL_PROFILE"] == "gpu-1"


def test_gives_the_gpus_back_after_one_question(all_leased: Person, lab: RunningLab):
    all_leased.open(lab.ticket("ada").path)
    all_leased.ticket.get_by_role("button", name="Give the GPUs back").click()
    dialog = all_leased.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Your files stay.")
    dialog.get_by_role("button", name="Give the GPUs back").click()
    expect(all_leased.ticket).to_contain_text("This ticket has ended.", timeout=SLOW)
    assert lab.leased() == {}


def test_refused_press_of_a_button_says_why(all_leased: Person, bert: Person, lab: RunningLab):
    ticket = bert.wait_in_line()
    bert.page.context.route("**/events", lambda route: route.abort())
    bert.page.reload()
    clear(lab)
    ticket.get_by_role("button", name="Leave the queue").click()
    bert.page.get_by_role("dialog").get_by_role("button", name="Leave the queue").click()
    expect(bert.page.get_by_role("alert").filter(has_text="only one that waits can leave the queue")).to_be_visible()


def test_signed_out_page_says_so_and_leads_back_after_sign_in(all_leased: Person, person: SignIn):
    bert = person("bert", anew=True)
    bert.wait_in_line()
    address = bert.page.url
    other_tab = bert.context.new_page()
    other_tab.goto(f"{bert.lab.url}/hub/logout")
    bert.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as on coming back to this tab
    link = bert.page.get_by_role("link", name="Sign in again")
    expect(link).to_be_visible()
    link.click()
    bert.page.wait_for_url("**/hub/login**")
    fill_in_sign_in(bert)
    bert.page.wait_for_url(address)
    expect(bert.ticket).to_contain_text("next in line")


def test_somebody_elses_ticket_looks_like_none(all_leased: Person, bert: Person, lab: RunningLab):
    response = bert.page.goto(lab.url + lab.ticket("ada").path)
    assert response is not None
    assert response.status == 404
    expect(bert.page.get_by_role("heading", name="No such ticket")).to_be_visible()
    expect(bert.page.get_by_role("link", name="My tickets")).to_be_visible()
