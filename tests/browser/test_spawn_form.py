"""The spawn form: what is free, when it ends, what it costs, and what to do after a refusal."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SignIn
from tests.browser.outage import pool_stopped
from tests.browser.person import ON_TICKET, SLOW, Person
from tests.real_hub import wait_until
from tests.running_lab import POOL_YAML, RunningLab

pytestmark = [pytest.mark.hub, pytest.mark.browser]

# olga is in both projects, and may hold fewer GPUs than the largest profile has
POOL = (
    POOL_YAML.replace("members: {groups: [vision]}", "members: {groups: [vision, vision-owners]}")
    .replace("members: {groups: [speech]}", "members: {groups: [speech, vision-owners]}")
    .replace("queued: 30}}", "queued: 30}, users: {olga: {gpus: 2}}}")
)


def test_form_shows_what_is_free_and_when_it_ends_and_what_it_costs(ada: Person):
    page = ada.form()
    expect(page.locator("label", has_text="Two GPUs")).to_contain_text("4 of 4 free")
    expect(page.locator("label", has_text="Two GPUs")).to_contain_text("simulated")
    ada.choose("Two GPUs", "3")
    summary = page.locator("#labpool-summary")
    expect(summary).to_have_text(re.compile(r"^Started now, it ends .*\d\d.* and costs 6 GPU-hours\.$"))
    ada.choose("CPU only", "2")
    expect(summary).to_contain_text("costs no GPU-hours")


def test_form_shows_when_the_next_gpu_frees_up_where_none_is_free(all_leased: Person, bert: Person):
    card = bert.form().locator("label", has_text="One GPU")
    expect(card).to_contain_text("0 of 4 free")
    expect(card).to_contain_text(re.compile("next ~"))
    bert.choose("One GPU", "2")
    expect(bert.page.locator("#labpool-summary")).to_contain_text("place in line")


def test_counts_change_while_the_form_is_open(all_leased: Person, bert: Person, lab: RunningLab):
    card = bert.form().locator("label", has_text="One GPU")
    expect(card).to_contain_text("0 of 4 free")
    bert.mark()
    lab.stop_server("ada")
    expect(card).to_contain_text("4 of 4 free", timeout=SLOW)
    assert bert.stayed()


def test_other_project_shows_its_own_profiles(person: SignIn):
    page = person("olga").form()
    expect(page.get_by_role("radio", name="Four GPUs")).to_be_visible()
    page.get_by_label("Project").select_option("Speech group")
    expect(page.get_by_role("radio", name="Four GPUs")).to_be_hidden()
    expect(page.get_by_role("radio", name="CPU only")).to_be_checked()


def test_start_of_a_free_gpu_leads_into_the_server(ada: Person, lab: RunningLab):
    ada.start("One GPU", hours="1")
    ada.page.wait_for_url(ada.in_server())
    assert len(lab.ticket("ada").lease.devices) == 1


def test_more_hours_than_the_profile_has_are_refused_before_anything_is_sent(ada: Person, lab: RunningLab):
    ada.form()
    ada.choose("One GPU", "9")
    expect(ada.page.locator("#labpool-summary")).to_have_text("At most 8 hours with this profile.")
    ada.page.get_by_role("button", name="Start").click()
    expect(ada.page).to_have_url(re.compile("/hub/spawn/ada$"))
    assert lab.ticket("ada") is None


def test_more_gpus_than_the_limit_are_refused_with_a_remedy_and_the_choice_stays(person: SignIn, lab: RunningLab):
    olga = person("olga")
    olga.start("Four GPUs", hours="3")
    refusal = olga.page.get_by_role("alert")
    expect(refusal).to_contain_text("one user may hold 2 GPUs")
    expect(refusal).to_contain_text("Pick a profile with 2 GPUs or fewer")
    expect(olga.page.get_by_role("radio", name="Four GPUs")).to_be_checked()
    expect(olga.page.get_by_label("Hours", exact=True)).to_have_value("3")
    assert lab.ticket("olga") is None


def test_limit_used_up_by_own_servers_makes_a_ticket_that_names_them(person: SignIn, lab: RunningLab):
    olga = person("olga")
    olga.start("Two GPUs", "train")
    olga.page.wait_for_url(olga.in_server("train"))
    ticket = olga.wait_in_line("One GPU", "second")
    expect(ticket).to_contain_text('your server "train" holds 2')
    expect(ticket).to_contain_text("Stop one of your servers")


def test_address_left_by_a_refused_form_starts_nothing(ada: Person, lab: RunningLab):
    ada.form()
    ada.page.evaluate("document.getElementById('labpool-hours').type = 'text'")
    ada.choose("One GPU", "many")
    ada.page.get_by_role("button", name="Start").click()
    expect(ada.page.get_by_role("alert")).to_contain_text("expected a number above 0")
    expect(ada.page).to_have_url(re.compile("/hub/spawn/ada$"))
    ada.page.reload()
    expect(ada.page.get_by_role("button", name="Start")).to_be_visible()
    ada.open("/hub/spawn/ada?_xsrf=anything")
    expect(ada.page.get_by_role("alert")).to_contain_text("Nothing was started")
    assert lab.servers("ada") == {}


def press_start_in_two_tabs(person: Person) -> Page:
    """Ask for one GPU for an hour in the person's tab and in a second one, at once; give the second."""
    second = person.context.new_page()
    person.form()
    person.choose("One GPU", "1")
    second.goto(person.page.url)
    second.get_by_role("radio", name="One GPU").check()
    for page in (person.page, second):
        page.evaluate("document.getElementById('labpool-start').click()")
    return second


def test_two_tabs_that_press_start_at_once_get_one_server_or_ticket(all_leased: Person, bert: Person, lab: RunningLab):
    second = press_start_in_two_tabs(bert)
    for page in (bert.page, second):
        expect(page).to_have_url(ON_TICKET, timeout=SLOW)
    assert bert.page.url == second.url
    assert len(lab.home("bert").tickets) == 1


def test_two_tabs_that_press_start_at_once_both_end_inside_the_server(ada: Person, lab: RunningLab):
    second = press_start_in_two_tabs(ada)
    for page in (ada.page, second):
        page.wait_for_url(ada.in_server(), timeout=SLOW)
    assert len(lab.leased()) == 1


def test_admin_who_starts_it_for_somebody_lands_on_their_ticket(all_leased: Person, person: SignIn, lab: RunningLab):
    admin = person("admin")
    page = admin.open("/hub/spawn/bert")
    expect(page.locator("main, .container").first).to_contain_text("bert")
    admin.choose("One GPU", "1")
    page.get_by_role("button", name="Start").click()
    expect(page).to_have_url(ON_TICKET, timeout=SLOW)
    assert lab.ticket("bert").path in page.url


def test_cpu_profile_starts_while_the_pool_is_stopped_and_gpus_say_so(ada: Person, lab: RunningLab):
    with pool_stopped(lab):
        page = ada.form()
        expect(page.get_by_text("The pool service does not answer")).to_be_visible()
        expect(page.get_by_role("radio", name="One GPU")).to_be_disabled()
        expect(page.locator("label", has_text="One GPU")).to_contain_text("not available now")
        ada.choose("CPU only", "1")
        page.get_by_role("button", name="Start").click()
        page.wait_for_url(ada.in_server())
    assert lab.told("ada")["CUDA_VISIBLE_DEVICES"] == ""


def test_gpu_asked_for_just_after_the_pool_stopped_is_refused_with_the_reason(ada: Person, lab: RunningLab):
    ada.form()
    ada.choose("One GPU", "1")
    with pool_stopped(lab):
        ada.page.get_by_role("button", name="Start").click()
        expect(ada.page.get_by_role("alert")).to_contain_text("the pool service does not answer")
        expect(ada.page.get_by_role("alert")).to_contain_text("CPU profile")
    expect(ada.page.get_by_role("radio", name="One GPU")).to_be_enabled(timeout=SLOW)
    assert lab.servers("ada") == {}


def test_form_works_without_javascript(person: SignIn, lab: RunningLab):
    ada = person("ada", anew=True, java_script_enabled=False)
    ada.start("Two GPUs", hours="1")
    wait_until(lambda: lab.is_ready("ada"), "the start of the server")
    assert len(lab.ticket("ada").lease.devices) == 2


def test_sign_in_page_says_that_the_demos_accounts_are_not_isolated(chromium: Browser, lab: RunningLab):
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{lab.url}/hub/login")
        expect(page.get_by_text("not isolated")).to_be_visible()
