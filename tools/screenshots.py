"""`make screenshots`: the README's pictures, taken of the real pages of a lab that is started for it.

Run from the repository's root as `python -m tools.screenshots`; takes about three minutes, most of it the quickstart's
training. The pictures go to docs/images/.
"""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

from tests.browser.person import SLOW, Person, sign_in
from tests.browser.quickstart import run_quickstart
from tests.running_lab import RunningLab, running_lab

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs/images"
HALF: ViewportSize = {"width": 840, "height": 860}
"""Lab and TensorBoard stand beside each other."""
LARGEST = 300_000
"""Bytes of one picture."""


def take_all() -> None:
    """Start a lab, walk the story, and take a picture at each place worth one."""
    pool_yaml = (ROOT / "hub_config/pool.yaml").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        slow_start = "c.Spawner.http_timeout = 120"
        with running_lab(Path(folder), pool_yaml=pool_yaml, server=(), hub_config=slow_start) as lab:
            chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            take_lab_and_curves(_enter(chromium, lab, "ada", HALF))
            take_form_and_ticket(_enter(chromium, lab, "bert", {"width": 900, "height": 700}), lab)
            chromium.close()


def take_lab_and_curves(ada: Person) -> None:
    """Two GPUs, the quickstart in Lab, and its curves in TensorBoard beside it."""
    ada.start("Two GPUs", hours="2")
    ada.page.wait_for_url(ada.in_server(), timeout=SLOW)
    run_quickstart(ada.page)
    curves = ada.context.new_page()
    curves.goto(f"{ada.lab.url}/logs/ada/vision/")
    expect(curves.locator("scalar-card").first).to_contain_text("/train", timeout=SLOW)
    curves.get_by_label("Toggle settings side pane").click()
    ada.page.get_by_role("tab", name="File Browser").click()  # folds it away
    _save("lab", _beside(_picture(ada.page), _picture(curves)))


def take_form_and_ticket(bert: Person, lab: RunningLab) -> None:
    """The form while one GPU is left, and the ticket of who comes second."""
    lab.start_server("ada", {"project": "vision", "profile": "gpu-1", "hours": 1.5}, "tune")
    lab.wait_ready("ada", "tune")
    bert.form()
    bert.choose("One GPU", "3")
    expect(bert.page.locator("#labpool-summary")).to_contain_text("costs 3 GPU-hours")
    _save("spawn-form", _picture(bert.page))
    lab.signed_in("olga")
    for name, profile in (("", "gpu-1"), ("sweep", "gpu-2")):
        lab.start_server("olga", {"project": "vision", "profile": profile, "hours": 2}, name)
    bert.wait_in_line()
    _save("ticket", _picture(bert.page.locator("body")))


def _enter(chromium: Browser, lab: RunningLab, name: str, size: ViewportSize) -> Person:
    context = chromium.new_context(viewport=size, locale="en-GB", timezone_id="Europe/Berlin")
    person = Person(name, lab, context, context.new_page())
    sign_in(person)
    return person


def _picture(shown: Page | Locator) -> Image.Image:
    return Image.open(BytesIO(shown.screenshot(animations="disabled"))).convert("RGB")


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    both = Image.new("RGB", (left.width + right.width + 2, max(left.height, right.height)), "#888888")
    both.paste(left, (0, 0))
    both.paste(right, (left.width + 2, 0))
    return both


def _save(name: str, picture: Image.Image) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    path = IMAGES / f"{name}.png"
    picture.quantize(128).save(path, optimize=True)
    size = path.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{path} has {size} bytes, expected {LARGEST} at the most: make the window smaller")
    print(f"{path.relative_to(ROOT)}: {picture.width} x {picture.height}, {size // 1000} kB")


if __name__ == "__main__":
    take_all()
