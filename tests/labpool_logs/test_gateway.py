"""What people get at /logs/: their own TensorBoards with what they logged, and nothing of others."""

from __future__ import annotations

import http.client
import json
import os
import re
from pathlib import Path

import httpx
import pytest

from tests.labpool_logs.conftest import LOSS, RealGateway
from tests.labpool_logs.event_files import log_scalars
from tests.labpool_logs.reading import read_scalars
from tests.real_hub import Browser, wait_until

pytestmark = pytest.mark.hub

SCALARS = "data/plugin/scalars/scalars?run=run-1&tag=loss"


def test_signed_out_browser_gets_the_sign_in_page_and_then_the_project_it_asked_for(gateway: RealGateway):
    browser = gateway.hub.browser()
    login = browser.open("/logs/ada/vision/?darkMode=true")
    assert login.url.path == "/hub/login"

    page = browser.sign_in(login, "ada")

    assert str(page.url) == f"{gateway.hub.url}/logs/ada/vision/?darkMode=true"
    assert "tb-webapp" in page.text or "TensorBoard" in page.text


def test_scalars_read_through_the_gateway_are_those_that_were_logged(gateway: RealGateway):
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/ada/vision/")

    wait_until(lambda: read_scalars(browser, "ada/vision") == LOSS, "the logged values in TensorBoard")

    environment = browser.fetch("/logs/ada/vision/data/environment").json()
    assert environment["data_location"] == str(gateway.store / "ada/vision")


def test_tensorboard_runs_without_tensorflow(gateway: RealGateway):
    gateway.hub.signed_in("ada").open("/logs/ada/vision/")

    loaded = Path(f"/proc/{gateway.tensorboards()['ada/vision']}/maps").read_text()

    assert "tensorflow" not in loaded


def test_another_user_gets_the_same_403_whether_or_not_there_is_anything(gateway: RealGateway):
    log_scalars(gateway.store / "ada/closed/run-1", "loss", LOSS)
    lin, admin = gateway.hub.signed_in("lin"), gateway.hub.signed_in("root-of-the-lab")
    lin.open("/logs/")

    answers = [
        lin.fetch(f"/logs/{path}")
        for path in ("ada/closed/", "ada/nothing/", "nobody/closed/", "ada/", "ada/closed", f"ada/closed/{SCALARS}")
    ]

    assert {each.status_code for each in answers} == {403}
    assert len({str({**each.json(), "id": ""}) for each in answers}) == 1
    assert lin.open("/logs/ada/closed/").status_code == 403
    assert admin.open("/logs/ada/closed/").status_code == 403
    assert "ada/closed" not in gateway.tensorboards()


GAMES = [
    "ada/../lin/secret/",
    "ada/..%2Flin/secret/",
    "ada%2F..%2Flin/secret/",
    "ada%2Fvision/x/",
    "ada/vision%2F..%2F..%2Flin%2Fsecret/",
    "ada/vision%252F..%252Flin/",
    "ada/%2e%2e/",
    "%2e%2e/ada/",
    "ada/.hidden/",
    "ada/-x/",
    "ada/vision%00/",
    "ada/vision/data/%00",
    "ada/vision/static/..%2f..%2f..%2fetc/passwd",
    "ada/vision/%2e%2e/%2e%2e/lin/",
    "ada/vision\\..\\lin/",
    "ada//vision/",
    "/ada/vision/",
    "ada/" + "v" * 200 + "/",
    "ada/vi%20sion/",
    "ad%C3%A4/vision/",
]


def test_paths_that_play_games_are_404(gateway: RealGateway):
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/")

    answers = {path: ask_exactly(gateway, browser, f"/logs/{path}") for path in GAMES}

    assert answers == dict.fromkeys(GAMES, (404, "no_address"))
    assert "lin/secret" not in gateway.tensorboards()


def ask_exactly(gateway: RealGateway, browser: Browser, path: str) -> tuple[int, str]:
    """Return status and reason for a path that no client or proxy tidied up before."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.service.port, timeout=20)
    cookies = "; ".join(f"{each.name}={each.value}" for each in browser.client.cookies.jar)
    connection.request("GET", path, headers={"Accept": "application/json", "Cookie": cookies})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read()).get("reason", "")


def test_front_page_lists_own_projects_only_with_runs_and_the_last_event(gateway: RealGateway):
    log_scalars(gateway.store / "max/robots/run-1", "loss", LOSS)
    log_scalars(gateway.store / "max/robots/run-2/train", "loss", LOSS)
    (gateway.store / "max/planned").mkdir()
    (gateway.store / "max/link").symlink_to("robots")
    browser = gateway.hub.browser()

    page = browser.sign_in(browser.open("/logs"), "max")

    assert page.url.path == "/logs/"
    assert 'href="/logs/max/robots/"' in page.text
    assert "2 runs" in page.text
    assert re.search("just now|minutes? ago", page.text)
    assert page.text.index("/logs/max/robots/") < page.text.index("/logs/max/planned/")
    assert "secret" not in page.text
    assert "/link/" not in page.text


def test_front_page_without_projects_says_how_to_log(gateway: RealGateway):
    assert "LABPOOL_LOGS" in gateway.hub.signed_in("new").open("/logs/").text


def test_own_project_without_logs_says_how_to_log_and_opens_once_a_run_appears(gateway: RealGateway):
    browser = gateway.hub.signed_in("ada")

    hint = browser.open("/logs/ada/soon/")
    assert hint.status_code == 404
    assert "Nothing is logged yet in soon" in hint.text
    assert "ada/soon" not in gateway.tensorboards()

    log_scalars(gateway.store / "ada/soon/run-1", "loss", LOSS)
    assert browser.open("/logs/ada/soon/").status_code == 200
    wait_until(lambda: read_scalars(browser, "ada/soon") == LOSS, "the logged values in TensorBoard")


def test_runs_that_appear_while_tensorboard_runs_are_shown(gateway: RealGateway):
    log_scalars(gateway.store / "ada/growing/run-1", "loss", LOSS)
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/ada/growing/")
    log_scalars(gateway.store / "ada/growing/run-2", "loss", [7.0])

    wait_until(lambda: read_scalars(browser, "ada/growing", "run-2") == [7.0], "the new run in TensorBoard")


def test_address_without_the_last_slash_leads_to_the_page(gateway: RealGateway):
    browser = gateway.hub.signed_in("ada")

    assert browser.open("/logs/ada/vision").url.path == "/logs/ada/vision/"
    assert browser.open("/logs/ada").url.path == "/logs/"


def test_user_name_with_an_at_sign_works(gateway: RealGateway):
    log_scalars(gateway.store / "zoe@lab/vision/run-1", "loss", LOSS)
    browser = gateway.hub.signed_in("zoe@lab")

    assert browser.open("/logs/zoe@lab/vision/").status_code == 200
    wait_until(lambda: read_scalars(browser, "zoe%40lab/vision") == LOSS, "the logged values in TensorBoard")


def make_symbolic_link(project: Path, secret: Path) -> None:
    (project / "stolen").symlink_to(secret.parent)


def make_hard_link(project: Path, secret: Path) -> None:
    (project / "stolen").mkdir()
    os.link(secret, project / "stolen" / secret.name)


def make_pipe(project: Path, secret: Path) -> None:
    os.mkfifo(project / "run-1" / "events.out.tfevents.1.pipe")


def link_the_whole_project(project: Path, secret: Path) -> None:
    project.rename(project.with_name(f"moved-{project.name}"))
    project.symlink_to(secret.parent.parent)


@pytest.mark.parametrize("trick", [make_symbolic_link, make_hard_link, make_pipe, link_the_whole_project])
@pytest.mark.parametrize("when", ["before", "while it runs"])
def test_folder_that_leads_to_other_peoples_files_is_not_shown(gateway: RealGateway, trick, when: str):
    name = f"{trick.__name__}-{when.replace(' ', '-')}"
    project = gateway.store / "ada" / name
    log_scalars(project / "run-1", "loss", LOSS)
    (secret,) = (gateway.store / "lin/secret/run-1").iterdir()
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/")
    if when == "while it runs":
        assert browser.open(f"/logs/ada/{name}/").status_code == 200

    trick(project, secret)

    wait_until(lambda: browser.open(f"/logs/ada/{name}/").status_code == 409, "the refusal")
    page = browser.open(f"/logs/ada/{name}/")
    assert f"ada/{name}" in page.text
    assert "Remove it" in page.text
    assert browser.fetch(f"/logs/ada/{name}/{SCALARS}").json()["reason"] == "unsafe_folder"
    wait_until(lambda: f"ada/{name}" not in gateway.tensorboards(), "the end of what ran before")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({}, 403),
    ],
)
def test_post_must_come_from_the_same_origin(gateway: RealGateway, headers: dict[str, str], status: int):
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/ada/vision/")
    form = {"requests": "[]"}

    path = "/logs/ada/vision/data/plugin/timeseries/timeSeries"
    assert browser.client.post(path, data=form, headers=headers).status_code == status


def test_program_reads_scalars_with_a_token_of_the_hub(gateway: RealGateway):
    scopes = ["access:services!service=logs"]
    headers = {"Authorization": f"token {gateway.hub.token_for('ada', scopes)}"}
    path = f"{gateway.hub.url}/logs/ada/vision/data/plugin/scalars/tags"

    wait_until(lambda: httpx.get(path, headers=headers).json() != {}, "the tags", 40)

    assert "loss" in str(httpx.get(path, headers=headers).json())


def test_other_methods_and_huge_bodies_never_reach_tensorboard(gateway: RealGateway):
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/ada/vision/")

    assert browser.fetch("/logs/ada/vision/", "POST", content=b"x" * 5_000_000).status_code == 413
    assert browser.fetch("/logs/ada/vision/", "DELETE").status_code in {403, 405}


def test_cookies_and_tokens_of_the_browser_do_not_reach_tensorboard(gateway: RealGateway):
    gateway.hub.signed_in("ada").open("/logs/ada/vision/")

    environment = Path(f"/proc/{gateway.tensorboards()['ada/vision']}/environ").read_text()

    assert "JUPYTERHUB" not in environment
    assert "LABPOOL" not in environment


def test_health_needs_no_sign_in(gateway: RealGateway):
    answer = httpx.get(f"{gateway.hub.url}/logs/healthz")

    assert answer.json() == {"status": "ok"}


def test_page_of_a_refusal_is_for_people(gateway: RealGateway):
    page = gateway.hub.signed_in("lin").open("/logs/ada/vision/")

    assert page.headers["content-type"].startswith("text/html")
    assert "Only its owner can look at this" in page.text
