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
    expect(page.locator(".jp-Notebook")).to_contain_text(re.compile(r"[Tt]est accuracy\D*(9[5-9]|100)"))


def open_quickstart_by_keys(page: Page) -> None:
    """Open the notebook of a new home and run its cells, until the first has run."""
    palette(page, "Open from Path")
    page.get_by_role("dialog").get_by_role("textbox").wait_for()
    page.keyboard.type("quickstart.ipynb")
    page.keyboard.press("Enter")
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=SLOW)
    palette(page, "Run All Cells")
    first = page.locator(".jp-Notebook .jp-CodeCell").first
    expect(first.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=TRAINED)


def press_tile_by_keys(page: Page, title: str) -> None:
    """Open a launcher, go to a tile by Tab and press Enter."""
    palette(page, "New Launcher")
    tile = page.locator(".jp-Launcher:visible .jp-LauncherCard", has_text=title)
    expect(tile).to_be_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if tile.evaluate("tile => tile === document.activeElement"):
            return page.keyboard.press("Enter")
    raise AssertionError(f"Tab never reached the tile {title}")


def palette(page: Page, command: str) -> None:
    """Run a command of JupyterLab's palette."""
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type(command)
    expect(page.locator(".lm-CommandPalette-item.lm-mod-active", has_text=command)).to_be_visible()
    page.keyboard.press("Enter")
