"""Reserving on the pool's page: by an owner's keyboard, and with an admin's answer to what would break."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import check_with_axe
from tests.browser.conftest import SignIn
from tests.browser.person import SLOW, Person
from tests.running_lab import RunningLab

pytestmark = [pytest.mark.hub, pytest.mark.browser]


@pytest.fixture(autouse=True)
def nothing_reserved(lab: RunningLab) -> Iterator[None]:
    """Afterwards nothing is reserved any more."""
    yield
    headers = {"Authorization": f"Bearer {lab.token_for('admin')}"}
    with httpx.Client(base_url=f"{lab.ports.pool_url}/api/v1", headers=headers, trust_env=False, timeout=20) as client:
        for reservation in client.get("/reservations").json():
            client.delete(f"/reservations/{reservation['id']}")


def form(person: Person) -> Locator:
    """The form on the pool's page, opened by keyboard."""
    page = person.open("/services/pool/")
    page.locator("#reserve summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("What for")).to_be_visible()
    return page.locator("#reserve-form")


def listed(page: Page) -> Locator:
    return page.locator('[data-live="reservations"] li')


def test_owner_reserves_every_week_and_cancels_by_keyboard(person: SignIn):
    olga = person("olga")
    fields, page = form(olga), olga.page
    expect(fields.get_by_label("For", exact=True).get_by_role("option")).to_have_text(["Vision group"])
    fields.get_by_label("What for").fill("Course")
    fields.get_by_label("How many").fill("2")
    fields.get_by_label("Repeat").select_option("Every week")
    expect(fields.get_by_label("Last day")).to_be_visible()
    check_with_axe(page)
    fields.get_by_label("Hours").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#reservations-said")).to_have_text("Reserved.")
    expect(listed(page)).to_contain_text("2 GPUs (Demo GPU) for Vision group")
    expect(listed(page)).to_contain_text("Course, every week, 12 more until")
    check_with_axe(page)
    page.get_by_role("button", name="Cancel the reservation for Vision group: Course").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Cancel this reservation, all its times?")
    check_with_axe(page)
    page.get_by_role("button", name="Cancel it").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#reservations-said")).to_have_text("The reservation is cancelled.")
    expect(listed(page)).to_have_count(0)
    expect(page.get_by_role("heading", name="Reservations")).to_be_focused()


def test_what_is_wrong_is_said_beside_the_form(person: SignIn):
    olga = person("olga")
    fields = form(olga)
    fields.get_by_label("Time zone").fill("Berlin")
    fields.get_by_role("button", name="Reserve").click()
    expect(olga.page.get_by_role("alert")).to_contain_text("There is no time zone 'Berlin'. Write the name of an IANA")


def test_admin_is_asked_before_promises_break(all_leased: Person, bert: Person, person: SignIn):
    bert.wait_in_line()
    admin = person("admin")
    fields, page = form(admin), admin.page
    fields.get_by_label("For", exact=True).select_option("Vision group")
    fields.get_by_label("How many").fill("4")
    fields.get_by_label("Hours").fill("9")
    fields.get_by_role("button", name="Reserve").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("1 promise would break and 4 GPUs would still be in use: accept all the same?")
    check_with_axe(page)
    question.get_by_role("button", name="Go back").click()
    expect(listed(page)).to_have_count(0)
    fields.get_by_role("button", name="Reserve").click()
    question.get_by_role("button", name="Accept").click()
    expect(listed(page)).to_contain_text("4 GPUs (Demo GPU) for Vision group")
    expect(bert.ticket).to_contain_text("That cannot be kept", timeout=SLOW)


def test_everybody_sees_when_a_machine_is_closed(ada: Person, person: SignIn):
    admin = person("admin")
    fields = form(admin)
    fields.get_by_label("For", exact=True).select_option("Nobody: maintenance")
    expect(fields.get_by_label("How many")).to_be_hidden()
    fields.get_by_label("Machine").select_option("demo")
    fields.get_by_role("button", name="Reserve").click()
    expect(listed(admin.page)).to_contain_text("demo is closed")
    page = ada.open("/services/pool/")
    expect(listed(page)).to_contain_text("maintenance")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.locator("#reserve")).to_have_count(0)
    check_with_axe(page)
