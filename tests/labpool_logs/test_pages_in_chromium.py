"""The gateway's pages in a real browser: for everybody to use, and TensorBoard with its curves."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.labpool_logs.conftest import LOSS, RealGateway
from tests.labpool_logs.event_files import log_scalars
from tests.real_hub import PASSWORD, REPOSITORY

pytestmark = [pytest.mark.hub, pytest.mark.browser]

AXE = REPOSITORY / "node_modules/axe-core/axe.min.js"
PAGES = {"the list": "/logs/", "the hint": "/logs/max/not-yet/", "a refusal": "/logs/lin/secret/"}


def sign_in(page: Page, gateway: RealGateway, path: str, user: str) -> None:
    """Open an address and sign in on the way."""
    page.goto(gateway.hub.url + path)
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{path}")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_serious_violation_and_fit_the_screen(
    gateway: RealGateway, chromium: Browser, width: int, scheme: str
):
    log_scalars(gateway.store / "max/a-long-name-that-goes-on-and-on-and-on-and-on-and-on/run", "loss", LOSS)
    (gateway.store / "max/not-yet").mkdir(exist_ok=True)
    with chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
        page = context.new_page()
        sign_in(page, gateway, "/logs/", "max")
        found = {}
        for name, path in PAGES.items():
            page.goto(gateway.hub.url + path)
            page.evaluate(AXE.read_text(encoding="utf-8"))
            violations = page.evaluate("axe.run()")["violations"]
            found[name] = [each["id"] for each in violations if each["impact"] in {"serious", "critical"}]
            assert page.evaluate("document.documentElement.dataset.bsTheme") == scheme
            assert page.evaluate("document.documentElement.scrollWidth") <= width

    assert found == {name: [] for name in PAGES}


def test_hint_gives_way_to_the_curves_by_itself(gateway: RealGateway, chromium: Browser):
    with chromium.new_context() as context:
        page = context.new_page()
        sign_in(page, gateway, "/logs/ada/fresh/", "ada")
        expect(page.get_by_role("heading", name="Nothing is logged yet in fresh")).to_be_visible()

        log_scalars(gateway.store / "ada/fresh/run-1", "loss", LOSS)

        expect(page.locator("line-chart").first).to_be_visible(timeout=60_000)
        expect(page.get_by_text("run-1").first).to_be_visible()
