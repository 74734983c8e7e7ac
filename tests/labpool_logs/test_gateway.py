"""What people get at /logs/: their own TensorBoards with what they logged, and nothing of others."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.labpool_logs.conftest import RealGateway
from tests.labpool_logs.event_files import log_scalars
from tests.real_hub import Browser, wait_until

pytestmark = pytest.mark.hub

LOSS = [1.0, 0.5, 0.25, 0.125]
SCALARS = "data/plugin/scalars/scalars?run=run-1&tag=loss"


def read_scalars(browser: Browser, project: str, run: str = "run-1", tag: str = "loss") -> list[float]:
    """Return the values of a tag as TensorBoard's page gets them."""
    path = f"/logs/{project}/data/plugin/timeseries/timeSeries"
    form = {"requests": f'[{{"plugin": "scalars", "tag": "{tag}"}}]'}
    answer = browser.fetch(path, "POST", data=form)
    assert answer.status_code == 200, answer.text
    series = answer.json()[0]["runToSeries"]
    return [point["value"] for point in series.get(run, [])]


def test_signed_out_browser_gets_the_sign_in_page_and_then_the_project_it_asked_for(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    browser = gateway.hub.browser()
    login = browser.open("/logs/ada/vision/?darkMode=true")
    assert login.url.path == "/hub/login"

    page = browser.sign_in(login, "ada")

    assert str(page.url) == f"{gateway.hub.url}/logs/ada/vision/?darkMode=true"
    assert "tb-webapp" in page.text or "TensorBoard" in page.text


def test_scalars_read_through_the_gateway_are_those_that_were_logged(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/ada/vision/")

    wait_until(lambda: read_scalars(browser, "ada/vision") == LOSS, "the logged values in TensorBoard")

    environment = browser.fetch("/logs/ada/vision/data/environment").json()
    assert environment["data_location"] == str(gateway.store / "ada/vision")


def test_tensorboard_runs_without_tensorflow(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    gateway.hub.signed_in("ada").open("/logs/ada/vision/")

    loaded = Path(f"/proc/{gateway.tensorboards()['ada/vision']}/maps").read_text()

    assert "tensorflow" not in loaded


def test_another_user_gets_the_same_403_whether_or_not_there_is_anything(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    lin, admin = gateway.hub.signed_in("lin"), gateway.hub.signed_in("root-of-the-lab")
    lin.open("/logs/")

    answers = [
        lin.fetch(f"/logs/{path}")
        for path in ("ada/vision/", "ada/nothing/", "nobody/vision/", "ada/", "ada/vision", f"ada/vision/{SCALARS}")
    ]

    assert {each.status_code for each in answers} == {403}
    assert len({str({**each.json(), "id": ""}) for each in answers}) == 1
    assert lin.open("/logs/ada/vision/").status_code == 403
    assert admin.open("/logs/ada/vision/").status_code == 403
    assert gateway.tensorboards() == {}


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
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    log_scalars(gateway.store / "lin/secret/run-1", "loss", LOSS)
    gateway.start()
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/")

    answers = {path: ask_exactly(gateway, browser, f"/logs/{path}") for path in GAMES}

    assert answers == dict.fromkeys(GAMES, (404, "no_address"))
    assert gateway.tensorboards() == {}


def ask_exactly(gateway: RealGateway, browser: Browser, path: str) -> tuple[int, str]:
    """Return status and reason for a path that no client or proxy tidied up before."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.hub.services[0].port, timeout=20)
    cookies = "; ".join(f"{each.name}={each.value}" for each in browser.client.cookies.jar)
    connection.request("GET", path, headers={"Accept": "application/json", "Cookie": cookies})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read()).get("reason", "")


def test_front_page_lists_own_projects_only_with_runs_and_the_last_event(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    log_scalars(gateway.store / "ada/vision/run-2/train", "loss", LOSS)
    (gateway.store / "ada/planned").mkdir()
    (gateway.store / "ada/link").symlink_to("vision")
    log_scalars(gateway.store / "lin/secret/run-1", "loss", LOSS)
    gateway.start()
    browser = gateway.hub.browser()

    page = browser.sign_in(browser.open("/logs"), "ada")

    assert page.url.path == "/logs/"
    assert 'href="/logs/ada/vision/"' in page.text
    assert "2 runs" in page.text
    assert "just now" in page.text
    assert page.text.index("/logs/ada/vision/") < page.text.index("/logs/ada/planned/")
    assert "secret" not in page.text
    assert "/link/" not in page.text


def test_front_page_without_projects_says_how_to_log(gateway: RealGateway):
    gateway.start()
    assert "LABPOOL_LOGS" in gateway.hub.signed_in("ada").open("/logs/").text


def test_own_project_without_logs_says_how_to_log_and_opens_once_a_run_appears(gateway: RealGateway):
    gateway.start()
    browser = gateway.hub.signed_in("ada")

    hint = browser.open("/logs/ada/vision/")
    assert hint.status_code == 404
    assert "Nothing is logged yet in vision" in hint.text
    assert gateway.tensorboards() == {}

    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    assert browser.open("/logs/ada/vision/").status_code == 200
    wait_until(lambda: read_scalars(browser, "ada/vision") == LOSS, "the logged values in TensorBoard")


def test_runs_that_appear_while_tensorboard_runs_are_shown(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/ada/vision/")
    log_scalars(gateway.store / "ada/vision/run-2", "loss", [7.0])

    wait_until(lambda: read_scalars(browser, "ada/vision", "run-2") == [7.0], "the new run in TensorBoard")


def test_address_without_the_last_slash_leads_to_the_page(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    browser = gateway.hub.signed_in("ada")

    assert browser.open("/logs/ada/vision").url.path == "/logs/ada/vision/"
    assert browser.open("/logs/ada").url.path == "/logs/"


def test_user_name_with_an_at_sign_works(gateway: RealGateway):
    log_scalars(gateway.store / "zoe@lab/vision/run-1", "loss", LOSS)
    gateway.start()
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
    project.rename(project.with_name("moved"))
    project.symlink_to(secret.parent.parent)


@pytest.mark.parametrize("trick", [make_symbolic_link, make_hard_link, make_pipe, link_the_whole_project])
@pytest.mark.parametrize("when", ["before", "while it runs"])
def test_folder_that_leads_to_other_peoples_files_is_not_shown(gateway: RealGateway, trick, when: str):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    log_scalars(gateway.store / "lin/secret/run-1", "loss", [42.0])
    (secret,) = (gateway.store / "lin/secret/run-1").iterdir()
    gateway.start(LABPOOL_LOGS_CHECK_SECONDS="0.2")
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/")
    if when == "while it runs":
        assert browser.open("/logs/ada/vision/").status_code == 200

    trick(gateway.store / "ada/vision", secret)
    wait_until(lambda: browser.open("/logs/ada/vision/").status_code == 409, "the refusal")

    page = browser.open("/logs/ada/vision/")
    assert "ada/vision" in page.text
    assert "Remove it" in page.text
    assert browser.fetch(f"/logs/ada/vision/{SCALARS}").json()["reason"] == "unsafe_folder"
    wait_until(lambda: gateway.tensorboards() == {}, "the end of what ran before")


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
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/ada/vision/")
    form = {"requests": "[]"}

    path = "/logs/ada/vision/data/plugin/timeseries/timeSeries"
    assert browser.client.post(path, data=form, headers=headers).status_code == status


def test_program_reads_scalars_with_a_token_of_the_hub(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    scopes = ["access:services!service=logs", "read:users:name!user"]
    headers = {"Authorization": f"token {gateway.hub.token_for('ada', scopes)}"}
    path = f"{gateway.hub.url}/logs/ada/vision/data/plugin/scalars/tags"

    wait_until(lambda: httpx.get(path, headers=headers).json() != {}, "the tags", 40)

    assert "loss" in str(httpx.get(path, headers=headers).json())


def test_other_methods_and_huge_bodies_never_reach_tensorboard(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/ada/vision/")

    assert browser.fetch("/logs/ada/vision/", "POST", content=b"x" * 5_000_000).status_code == 413
    assert browser.fetch("/logs/ada/vision/", "DELETE").status_code in {403, 405}


def test_cookies_and_tokens_of_the_browser_do_not_reach_tensorboard(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    gateway.hub.signed_in("ada").open("/logs/ada/vision/")

    environment = Path(f"/proc/{gateway.tensorboards()['ada/vision']}/environ").read_text()

    assert "JUPYTERHUB" not in environment
    assert "LABPOOL" not in environment


def test_crashed_tensorboard_is_started_again_by_the_next_request(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/ada/vision/")
    first = gateway.tensorboards()["ada/vision"]
    os.kill(first, signal.SIGKILL)

    assert browser.open("/logs/ada/vision/").status_code == 200
    assert gateway.tensorboards()["ada/vision"] != first
    wait_until(lambda: read_scalars(browser, "ada/vision") == LOSS, "the logged values in TensorBoard")


def test_least_recently_used_tensorboard_ends_for_a_new_one(gateway: RealGateway):
    for project in ("a", "b", "c"):
        log_scalars(gateway.store / f"ada/{project}/run-1", "loss", LOSS)
    gateway.start(LABPOOL_LOGS_AT_ONCE="2")
    browser = gateway.hub.signed_in("ada")
    for project in ("a", "b", "a", "c"):
        assert browser.open(f"/logs/ada/{project}/").status_code == 200

    assert set(gateway.tensorboards()) == {"ada/a", "ada/c"}
    assert browser.open("/logs/ada/b/").status_code == 200


def test_idle_tensorboard_ends_and_comes_back_when_asked_for(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start(LABPOOL_LOGS_IDLE_MINUTES="0.01", LABPOOL_LOGS_CHECK_SECONDS="0.1")
    browser = gateway.hub.signed_in("ada")
    assert browser.open("/logs/ada/vision/").status_code == 200

    wait_until(lambda: gateway.tensorboards() == {}, "the end of the idle TensorBoard")

    assert browser.open("/logs/ada/vision/").status_code == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_tensorboard_outlives_the_gateway(gateway: RealGateway, how: int):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    gateway.hub.signed_in("ada").open("/logs/ada/vision/")
    (pid,) = gateway.tensorboards().values()
    private = Path(f"/proc/{pid}/cwd").readlink()

    gateway.stop(how)

    wait_until(lambda: gateway.tensorboards() == {}, "the end of the TensorBoards")
    wait_until(lambda: not private.exists(), "the removal of the socket's folder")


def test_health_needs_no_sign_in(gateway: RealGateway):
    gateway.start()
    answer = httpx.get(f"{gateway.hub.url}/logs/healthz")

    assert answer.json() == {"status": "ok"}


def test_log_is_one_json_event_a_line_without_secrets(gateway: RealGateway):
    log_scalars(gateway.store / "ada/vision/run-1", "loss", LOSS)
    gateway.start()
    browser = gateway.hub.signed_in("ada")
    browser.open("/logs/ada/vision/")
    browser.open("/logs/lin/vision/")

    events = gateway.events()
    text = (gateway.folder / "gateway.log").read_text()

    assert any(each["event"] == "tensorboard started" and each["user"] == "ada" for each in events)
    assert any(each.get("reason") == "not_yours" for each in events)
    assert gateway.hub.services[0].token not in text
    assert not [value for value in browser.client.cookies.values() if value.strip('"') in text]


def test_gateway_without_settings_says_which_are_missing(gateway: RealGateway):
    clean = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "labpool_logs"]
    ended = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    for name in ("LABPOOL_LOG_STORE", "JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN"):
        assert name in ended.stderr


def test_page_of_a_refusal_is_for_people(gateway: RealGateway):
    gateway.start()
    page = gateway.hub.signed_in("lin").open("/logs/ada/vision/")

    assert page.headers["content-type"].startswith("text/html")
    assert "Only its owner can look at this" in page.text
