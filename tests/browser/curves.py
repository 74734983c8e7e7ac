"""TensorBoard as a person sees it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.person import SLOW


def expect_curve(page: Page, tag: str, run: str) -> None:
    """See one run's values of a tag as TensorBoard draws and lists them."""
    card = page.locator("scalar-card", has_text=tag).first
    expect(card).to_contain_text(run, timeout=SLOW)
    expect(card.locator("line-chart").first).to_be_visible()
