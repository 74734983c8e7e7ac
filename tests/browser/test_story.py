"""The whole story with real JupyterLabs: sign in, pick, wait, train, look at the curves."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.curves import expect_curve
from tests.browser.person import SLOW, Person
from tests.running_lab import POOL_YAML

pytestmark = [pytest.mark.hub, pytest.mark.browser, pytest.mark.tensorflow]

POOL = POOL_YAML.replace("restart_minutes: 0.1", "restart_minutes: 1")
SERVER: tuple[str, ...] = ()
TRAINED = 240_000
"""Milliseconds within which the quickstart has trained, on two busy cores."""


def lab_is_open(page: Page) -> None:
    """Wait until JupyterLab can be used."""
    expect(page.get_by_role("menuitem", name="Run")).to_be_visible(timeout=SLOW)


def test_researcher_trains_from_the_quickstart_and_sees_the_curves(ada: Person):
    ada.start("Two GPUs", hours="1")
    ada.page.wait_for_url("**/user/ada/lab**", timeout=SLOW)
    lab_is_open(ada.page)
    tile = ada.page.locator(".jp-LauncherCard", has_text="TensorBoard")
    expect(tile).to_be_visible(timeout=SLOW)
    run_quickstart(ada.page)
    wait_for_first_use(ada)

    with ada.page.expect_popup() as popup:
        ada.page.get_by_role("tab", name="Launcher").click()
        tile.click()
    curves = popup.value
    curves.wait_for_url("**/logs/ada/vision/**", timeout=SLOW)
    expect_curve(curves, "accuracy", "/train")


def run_quickstart(page: Page) -> None:
    """Open the notebook of a new home and run it as it is."""
    page.locator(".jp-DirListing-item", has_text="quickstart").dblclick()
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=SLOW)  # Lab forgets a run asked for before
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    last = page.locator(".jp-Notebook .jp-CodeCell").last
    expect(last.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=TRAINED)
    expect(page.locator(".jp-OutputArea-output[data-mime-type*=error]")).to_have_count(0)


def wait_for_first_use(ada: Person) -> None:
    """See on the ticket's page that the server counts as used."""
    tab = ada.context.new_page()
    tab.goto(f"{ada.lab.url}/services/pool/")
    tab.get_by_role("link", name="Two GPUs for Vision group").first.click()
    expect(tab.locator("#ticket")).to_contain_text("Your server has 2 GPUs.")
    expect(tab.get_by_role("link", name="TensorBoard", exact=True).last).to_have_attribute("href", "/logs/ada/vision/")
    tab.close()
