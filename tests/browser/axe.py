"""Whether everybody can read a page: axe-core on it, as it is shown now."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

from tests.browser.conftest import SCREEN
from tests.real_hub import REPOSITORY

AXE = REPOSITORY / "node_modules/axe-core/axe.min.js"
PHONE: ViewportSize = {"width": 390, "height": 844}
SIGHTS: list[tuple[ViewportSize, str]] = [(size, theme) for size in (SCREEN, PHONE) for theme in ("light", "dark")]


def violations(page: Page) -> list[str]:
    """What axe-core counts as serious or critical on the page as it is shown now."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    return [
        f"{each['id']}: {node['html'][:200]} {node['failureSummary']}" for each in serious for node in each["nodes"]
    ]


def check_with_axe(page: Page) -> None:
    """Look with axe at both sizes, light and dark; nothing may be wider than the screen."""
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = []
    for size, theme in SIGHTS:
        page.set_viewport_size(size)
        page.evaluate(f"document.documentElement.setAttribute('data-bs-theme', {json.dumps(theme)})")
        found += [f"{size['width']} pixels, {theme}: {violation}" for violation in violations(page)]
        widest = page.evaluate("document.documentElement.scrollWidth")
        if widest > size["width"]:
            found.append(f"{widest} pixels wide on {size['width']}")
    assert not found, "\n".join([page.url, *found])
