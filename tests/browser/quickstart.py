"""JupyterLab with the notebook of a new home, as a person works with it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.person import SLOW

TRAINED = 240_000
"""Milliseconds within which the quickstart has trained, on two busy cores."""


def run_quickstart(page: Page) -> None:
    """Open the notebook of a new home and run it as it is."""
    page.locator(".jp-DirListing-item", has_text="quickstart").dblclick()
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=SLOW)  # Lab forgets a run asked for before
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    last = page.locator(".jp-Notebook .jp-CodeCell").last
    expect(last.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=TRAINED)
    expect(page.locator(".jp-OutputArea-output[data-mime-type*=error]")).to_have_count(0)
