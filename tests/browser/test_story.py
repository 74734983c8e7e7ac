"""The whole story with real JupyterLabs: sign in, pick, wait, train, look at the curves."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SignIn
from tests.browser.curves import expect_curve
from tests.browser.person import Person
from tests.browser.quickstart import open_quickstart_by_keys, press_tile_by_keys, run_quickstart
from tests.real_hub import wait_until
from tests.running_lab import POOL_YAML

pytestmark = [pytest.mark.hub, pytest.mark.browser, pytest.mark.tensorflow]

POOL = POOL_YAML.replace("restart_minutes: 0.1", "restart_minutes: 1")
SERVER: tuple[str, ...] = ()
LAB_READY = 120_000
"""Milliseconds within which a real JupyterLab has started and drawn its page, while other tests train."""


def test_researcher_trains_from_the_quickstart_and_sees_the_curves(ada: Person):
    ada.start("Two GPUs", hours="1")
    ada.page.wait_for_url("**/user/ada/lab**", timeout=LAB_READY)
    tile = ada.page.locator(".jp-LauncherCard", has_text="TensorBoard")
    expect(tile).to_be_visible(timeout=LAB_READY)
    run_quickstart(ada.page)
    wait_for_first_use(ada)

    with ada.page.expect_popup() as popup:
        ada.page.get_by_role("tab", name="Launcher").click()
        tile.click()
    curves = popup.value
    curves.wait_for_url("**/logs/ada/vision/**", timeout=LAB_READY)
    expect_curve(curves, "accuracy", "/train")


def test_notebook_and_tensorboards_tile_by_keyboard_alone(person: SignIn):
    olga = person("olga")
    olga.start("Two GPUs", hours="1")
    page = olga.page
    page.wait_for_url("**/user/olga/lab**", timeout=LAB_READY)
    expect(page.locator(".jp-LauncherCard", has_text="TensorBoard")).to_be_visible(timeout=LAB_READY)
    open_quickstart_by_keys(page)
    with page.expect_popup() as popup:
        press_tile_by_keys(page, "TensorBoard")
    popup.value.wait_for_url("**/logs/olga/vision/**", timeout=LAB_READY)


def test_next_researcher_is_led_into_jupyterlab_when_the_first_stops(all_leased: Person, bert: Person):
    bert.wait_in_line()
    all_leased.open("/hub/home")
    all_leased.page.get_by_role("button", name="Stop My Server").click()
    bert.page.wait_for_url("**/user/bert/lab**", timeout=LAB_READY)
    expect(bert.page.locator(".jp-LauncherCard", has_text="TensorBoard")).to_be_visible(timeout=LAB_READY)
    wait_until(lambda: bert.lab.home("bert").tickets[0].state == "running", "the claim of the ticket")


def wait_for_first_use(ada: Person) -> None:
    """See on the ticket's page that the server counts as used."""
    tab = ada.context.new_page()
    tab.goto(f"{ada.lab.url}/services/pool/")
    tab.get_by_role("link", name="Two GPUs for Vision group").first.click()
    expect(tab.locator("#ticket")).to_contain_text("Your server has 2 GPUs.")
    expect(tab.get_by_role("link", name="TensorBoard", exact=True).last).to_have_attribute("href", "/logs/ada/vision/")
    tab.close()
