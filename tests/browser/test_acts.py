"""Draining and changing rules on the pool's page, by an admin's keyboard and with an answer to what would break."""

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
GPU = "sim:demo:demo-gpu:0"


@pytest.fixture(autouse=True)
def nothing_changed(lab: RunningLab) -> Iterator[None]:
    """Afterwards nothing is drained, and every rule is the file's."""
    yield
    headers = {"Authorization": f"Bearer {lab.token_for('admin')}"}
    with httpx.Client(base_url=f"{lab.ports.pool_url}/api/v1", headers=headers, trust_env=False, timeout=20) as client:
        for act in ("drains", "overrides"):
            for each in client.get(f"/{act}").json():
                client.delete(f"/{act}/{each['id']}")


def form(person: Person, name: str) -> Locator:
    """A form on the pool's page, opened by keyboard."""
    page = person.open("/services/pool/")
    page.locator(f"#{name} summary").focus()
    page.keyboard.press("Enter")
    fields = page.locator(f"#{name}-form")
    expect(fields).to_be_visible()
    return fields


def listed(page: Page) -> Locator:
    return page.locator('[data-live="acts"] li')


def test_admin_drains_a_gpu_for_a_while_and_puts_it_back_by_keyboard(person: SignIn, ada: Person):
    admin = person("admin")
    fields, page = form(admin, "drain"), admin.page
    fields.get_by_label("Machine or GPU").select_option(GPU)
    fields.get_by_label("Until").fill("2099-01-01T12:00")
    check_with_axe(page)
    fields.get_by_label("Why").fill("It gets too hot")
    page.keyboard.press("Enter")
    expect(page.locator("#acts-said")).to_have_text("Drained.")
    expect(listed(page)).to_contain_text("It gets too hot, by admin")
    expect(page.locator('[data-live="pool"]')).to_contain_text("3 of 4 free")
    check_with_axe(page)
    others = ada.open("/services/pool/")
    expect(others.locator('[data-live="pool"]')).to_contain_text("It gets too hot")
    expect(others.get_by_text("Machines and rules")).to_have_count(0)
    expect(others.locator("#drain, #override")).to_have_count(0)
    page.get_by_role("button", name=f"Put back into service: {GPU}").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#acts-said")).to_have_text(f"{GPU} is in service again.")
    expect(listed(page)).to_have_count(0)
    expect(page.get_by_role("heading", name="Machines and rules")).to_be_focused()


def test_admin_is_asked_before_a_drain_breaks_promises(all_leased: Person, bert: Person, person: SignIn):
    bert.wait_in_line()
    admin = person("admin")
    fields, page = form(admin, "drain"), admin.page
    fields.get_by_label("Machine or GPU").select_option("demo: the whole machine")
    fields.get_by_label("Why").fill("New fans")
    fields.get_by_role("button", name="Drain").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("1 promise would break: do it all the same?")
    check_with_axe(page)
    question.get_by_role("button", name="Go back").click()
    expect(listed(page)).to_have_count(0)
    fields.get_by_role("button", name="Drain").click()
    question.get_by_role("button", name="Do it").click()
    expect(listed(page)).to_contain_text("New fans")
    expect(bert.ticket).to_contain_text("That cannot be kept", timeout=SLOW)
    expect(bert.ticket).not_to_contain_text("At the latest")
    expect(bert.ticket).not_to_contain_text("Likely")  # with no GPU left nobody knows
    check_with_axe(page)


def test_admin_changes_rules_of_a_project_and_of_a_person_and_ends_that(person: SignIn):
    admin = person("admin")
    fields, page = form(admin, "override"), admin.page
    fields.get_by_label("Project").select_option("Speech group")
    expect(fields.get_by_label("User name")).to_be_hidden()
    fields.get_by_label("Value").fill("3")
    fields.get_by_label("Why").fill("A deadline")
    check_with_axe(page)
    fields.get_by_role("button", name="Change").click()
    expect(listed(page)).to_contain_text("Speech group: GPUs of its own (Demo GPU): 3, 2 in pool.yaml")
    fields.get_by_label("Rule").select_option("GPUs at once")
    fields.get_by_label("User name").fill("bert")
    expect(fields.get_by_label("Project")).to_be_hidden()
    fields.get_by_label("Value").fill("1.5")
    fields.get_by_label("Why").fill("A visit")
    fields.get_by_role("button", name="Change").click()
    expect(page.locator("#acts-problem")).to_contain_text("The value of user_gpus is a whole number.")
    fields.get_by_label("Value").fill("1")
    fields.get_by_role("button", name="Change").click()
    expect(listed(page)).to_have_count(2)
    check_with_axe(page)
    page.get_by_role("button", name="End the change of Speech group").click()
    expect(page.locator("#acts-said")).to_have_text("pool.yaml's value holds again.")
    expect(listed(page)).to_have_count(1)
