"""Training curves at /logs/: for their owner, from every page that should lead there."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SignIn
from tests.browser.curves import expect_curve
from tests.browser.person import Person, fill_in_sign_in
from tests.labpool_logs.event_files import log_scalars
from tests.running_lab import RunningLab

pytestmark = [pytest.mark.hub, pytest.mark.browser]


@pytest.fixture(autouse=True)
def logged(lab: RunningLab) -> None:
    """Ada has trained once."""
    log_scalars(lab.place.logs_of("ada") / "vision/first-run/train", "accuracy", [0.1, 0.5, 0.9])


def test_owner_sees_the_curves_from_the_home_page(ada: Person):
    ada.open("/hub/home").get_by_role("link", name="My training curves in TensorBoard").click()
    ada.page.get_by_role("link", name="vision").click()
    expect_curve(ada.page, "accuracy", "first-run/train")


def test_owner_sees_the_curves_from_the_ticket_page(all_leased: Person, lab: RunningLab):
    all_leased.open(lab.ticket("ada").path)
    all_leased.ticket.get_by_role("link", name="TensorBoard").click()
    expect_curve(all_leased.page, "accuracy", "first-run/train")


def test_menu_of_each_page_leads_to_tensorboard_and_the_pool(ada: Person):
    for path in ("/hub/home", "/hub/spawn/ada", "/services/pool/", "/logs/"):
        menu = ada.open(path).get_by_role("navigation")
        expect(menu.get_by_role("link", name="TensorBoard")).to_have_attribute("href", "/logs/")
        expect(menu.get_by_role("link", name="GPU pool")).to_have_attribute("href", "/services/pool/")


def test_other_user_is_refused(bert: Person, lab: RunningLab):
    response = bert.page.goto(f"{lab.url}/logs/ada/vision/")
    assert response is not None
    assert response.status == 403
    expect(bert.page.get_by_role("heading")).to_have_text("Only its owner can look at this")


def test_signed_out_browser_gets_what_it_asked_for_after_sign_in(person: SignIn, lab: RunningLab):
    ada = person("ada", anew=True)
    ada.open("/hub/logout")
    ada.open("/logs/ada/vision/")
    ada.page.wait_for_url("**/hub/login**")
    fill_in_sign_in(ada)
    ada.page.wait_for_url(lambda url: url.startswith(f"{lab.url}/logs/ada/vision/"))
    expect_curve(ada.page, "accuracy", "first-run/train")
