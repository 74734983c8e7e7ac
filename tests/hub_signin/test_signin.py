"""What browsers and programs get from a service behind a real hub."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import jupyterhub
import pytest

from tests.hub_signin.conftest import PREFIX
from tests.real_hub import NAVIGATION, RealHub, wait_until

pytestmark = pytest.mark.hub

ACCESS = "access:services!service=sample"


def test_signed_out_browser_signs_in_and_gets_exactly_what_it_asked_for(hub: RealHub):
    browser = hub.browser()
    login = browser.open(f"{PREFIX}page/a%20b/c?x=1&y=%2Fz&y=2")
    assert login.url.path == "/hub/login"

    answer = browser.sign_in(login, "ada").json()

    assert answer["name"] == "ada"
    assert answer["groups"] == ["researchers", "vision"]
    assert answer["path"] == f"{PREFIX}page/a%20b/c"
    assert answer["query"] == "x=1&y=%2Fz&y=2"


def test_two_tabs_that_sign_in_at_the_same_time_each_come_back_to_their_own_page(hub: RealHub):
    browser = hub.signed_in("ada")
    first = browser.open_once(f"{PREFIX}page/first")
    second = browser.open_once(f"{PREFIX}page/second")

    assert browser.open(first.headers["location"]).json()["path"] == f"{PREFIX}page/first"
    assert browser.open(second.headers["location"]).json()["path"] == f"{PREFIX}page/second"


def test_many_unfinished_signins_keep_only_the_last_few_cookies(hub: RealHub):
    browser = hub.browser()
    for tab in range(9):
        browser.open_once(f"{PREFIX}page/{tab}")

    assert len([name for name in browser.client.cookies if "signin" in name]) == 5


def test_cookies_are_for_this_service_and_not_for_scripts(hub: RealHub):
    browser = hub.signed_in("ada")
    to_the_hub = browser.open_once(f"{PREFIX}page/")
    back = browser.open_once(browser.open_once(to_the_hub.headers["location"]).headers["location"])

    for cookie in (*to_the_hub.headers.get_list("set-cookie"), *back.headers.get_list("set-cookie")):
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert f"Path={PREFIX}" in cookie
        assert "Secure" not in cookie


def test_behind_https_cookies_are_secure(hub: RealHub):
    headers = NAVIGATION | {"X-Forwarded-Proto": "https,http"}
    service = hub.services[0]

    answer = httpx.get(f"http://127.0.0.1:{service.port}{PREFIX}page/", headers=headers)

    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.skipif(jupyterhub.version_info[0] < 6, reason="Hub 5.5's library knows no PKCE")
def test_code_is_bound_to_the_browser_that_asked_for_it(hub: RealHub):
    query = parse_qs(urlsplit(hub.browser().open_once(f"{PREFIX}page/").headers["location"]).query)

    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43


def test_code_of_another_browser_signs_nobody_in(hub: RealHub):
    ada, other = hub.signed_in("ada"), hub.browser()
    to_the_hub = ada.open_once(f"{PREFIX}page/").headers["location"]
    callback = ada.open_once(to_the_hub).headers["location"]

    answer = other.open(callback)

    assert answer.status_code == 400
    assert "no longer valid" in answer.text
    assert other.fetch(f"{PREFIX}events").status_code == 401


def test_callback_that_was_used_already_says_so_and_offers_another_try(hub: RealHub):
    browser = hub.signed_in("ada")
    to_the_hub = browser.open_once(f"{PREFIX}page/").headers["location"]
    callback = browser.open_once(to_the_hub).headers["location"]
    assert browser.open(callback).status_code == 200

    again = browser.open(callback)

    assert again.status_code == 400
    assert f'href="{PREFIX}"' in again.text


def test_script_of_a_signed_out_page_gets_401_as_problem_details(hub: RealHub):
    answer = hub.browser().fetch(f"{PREFIX}page/")

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["reason"] == "not_signed_in"


def test_user_without_access_to_the_service_gets_403(hub: RealHub):
    token = hub.token_for("eve", ["self"])

    answer = httpx.get(f"{hub.url}{PREFIX}events", headers={"Authorization": f"token {token}"})

    assert answer.status_code == 403
    assert answer.json()["reason"] == "no_access"


@pytest.mark.parametrize("kind", ["token", "Bearer", "bearer"])
def test_program_with_a_token_of_the_hub_may_read_and_change(hub: RealHub, kind: str):
    headers = {"Authorization": f"{kind} {hub.token_for('lin', [ACCESS, 'read:users:name!user'])}"}

    assert httpx.get(f"{hub.url}{PREFIX}page/", headers=headers).json()["name"] == "lin"
    assert httpx.post(f"{hub.url}{PREFIX}change", headers=headers).json() == "lin"


@pytest.mark.parametrize("header", ["token wrong", "Basic YWRhOmFkYQ==", "Bearer", "nonsense"])
def test_wrong_authorization_is_401_even_beside_a_good_session(hub: RealHub, header: str):
    browser = hub.signed_in("ada")
    assert browser.open(f"{PREFIX}page/").status_code == 200

    answer = browser.fetch(f"{PREFIX}page/", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.json()["reason"] == "unknown_token"


def test_token_of_a_service_is_not_taken_for_a_user(hub: RealHub):
    token = hub.services[0].token
    answer = httpx.get(f"{hub.url}{PREFIX}page/", headers={"Authorization": f"token {token}"})

    assert answer.status_code == 403 or answer.json()["kind"] == "service"


def test_changes_and_fetches_with_the_cookie_need_the_xsrf_token_of_the_page(hub: RealHub):
    browser = hub.signed_in("ada")
    xsrf = browser.open(f"{PREFIX}page/").json()["xsrf"]

    assert browser.fetch(f"{PREFIX}change", "POST").status_code == 403
    assert browser.fetch(f"{PREFIX}change", "POST", headers={"X-XSRFToken": "0" * 64}).status_code == 403
    assert browser.fetch(f"{PREFIX}page/").json()["reason"] == "missing_xsrf_token"
    assert browser.fetch(f"{PREFIX}change", "POST", headers={"X-XSRFToken": xsrf}).json() == "ada"
    assert browser.fetch(f"{PREFIX}page/", headers={"X-XSRFToken": xsrf}).json()["name"] == "ada"


def test_xsrf_token_of_another_session_is_refused(hub: RealHub):
    lin, ada = hub.signed_in("lin"), hub.signed_in("ada")
    stolen = lin.open(f"{PREFIX}page/").json()["xsrf"]
    ada.open(f"{PREFIX}page/")

    assert ada.fetch(f"{PREFIX}change", "POST", headers={"X-XSRFToken": stolen}).status_code == 403


def test_post_that_browsers_send_for_a_form_of_another_page_is_refused(hub: RealHub):
    browser = hub.signed_in("ada")
    browser.open(f"{PREFIX}page/")

    assert browser.client.post(f"{PREFIX}change", headers=NAVIGATION).status_code == 403


def test_event_source_needs_no_xsrf_token(hub: RealHub):
    browser = hub.signed_in("ada")
    browser.open(f"{PREFIX}page/")

    assert browser.fetch(f"{PREFIX}events").json() == "ada"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "{hub}"}, 403),
        ({"Origin": "{hub}"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_page_that_is_not_ours_must_prove_its_origin_to_post(hub: RealHub, headers: dict[str, str], status: int):
    browser = hub.signed_in("ada")
    browser.open(f"{PREFIX}page/")

    sent = {name: value.format(hub=hub.url) for name, value in headers.items()}

    assert browser.client.post(f"{PREFIX}read-by-post", headers=sent).status_code == status


def test_signing_out_of_the_hub_ends_the_session_here_at_once(hub: RealHub):
    browser = hub.signed_in("ada")
    assert browser.open(f"{PREFIX}page/").json()["name"] == "ada"
    kept = dict(browser.client.cookies)
    browser.sign_out()

    assert browser.fetch(f"{PREFIX}events").status_code == 401
    replayed = httpx.get(f"{hub.url}{PREFIX}events", cookies=kept)
    wait_until(
        lambda: httpx.get(f"{hub.url}{PREFIX}events", cookies=kept).status_code == 401, "the end of a copied session"
    )
    assert replayed.status_code in {200, 401}  # the hub's answer may be remembered for cache_seconds


def test_next_user_of_the_same_browser_is_not_taken_for_the_first(hub: RealHub):
    browser = hub.signed_in("ada")
    assert browser.open(f"{PREFIX}page/").json()["name"] == "ada"
    browser.sign_out()
    browser.sign_in(browser.open("/hub/login"), "lin")

    assert browser.open(f"{PREFIX}page/").json()["name"] == "lin"


def test_forged_and_changed_cookies_sign_nobody_in(hub: RealHub):
    browser = hub.signed_in("ada")
    browser.open(f"{PREFIX}page/")
    good = browser.client.cookies["labpool-sample"]
    head, _, signature = good.rpartition("|")

    for bad in ("x", head, f"{head}|{'0' * len(signature)}", good.replace("labpool-sample", "labpool-sample2", 1)):
        cookies = dict(browser.client.cookies) | {"labpool-sample": bad.strip('"')}
        assert httpx.get(f"{hub.url}{PREFIX}events", cookies=cookies).status_code == 401


def test_session_cookie_is_worth_nothing_beside_another_hub_session(hub: RealHub):
    ada, lin = hub.signed_in("ada"), hub.signed_in("lin")
    ada.open(f"{PREFIX}page/")
    taken = ada.client.cookies["labpool-sample"]
    lin.client.cookies.set("labpool-sample", taken, domain="127.0.0.1", path=PREFIX)

    assert lin.fetch(f"{PREFIX}events").status_code == 401
    assert lin.open(f"{PREFIX}page/").json()["name"] == "lin"


def test_while_the_hub_is_down_people_and_programs_are_told_to_try_again(hub: RealHub):
    browser = hub.signed_in("ada")
    browser.open(f"{PREFIX}page/")
    program = {"Authorization": "token of-somebody"}
    hub.stop_hub()
    try:
        wait_until(lambda: browser.open(f"{PREFIX}page/").status_code == 503, "the end of what was remembered")
        page = browser.open(f"{PREFIX}page/again?x=1")
        problem = httpx.get(f"{hub.url}{PREFIX}page/", headers=program)
    finally:
        hub.start_hub()

    assert page.headers["retry-after"] == "5"
    assert "The hub isn&#x27;t answering" in page.text
    assert f'href="{PREFIX}page/again?x=1"' in page.text
    assert problem.status_code == 503
    assert problem.json()["reason"] == "hub_unavailable"
    assert browser.open(f"{PREFIX}page/").json()["name"] == "ada"
