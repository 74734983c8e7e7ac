"""Starting and stopping servers by every way in, with a real hub, a real pool and tiny servers."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from bs4 import BeautifulSoup

from tests.real_hub import NAVIGATION, Browser
from tests.running_lab import RunningLab

pytestmark = pytest.mark.hub

GPU_1 = {"project": "vision", "profile": "gpu-1", "hours": 1}
GPU_4 = {"project": "vision", "profile": "gpu-4", "hours": 1}
SPEECH = {"project": "speech", "profile": "gpu-1", "hours": 1}
CPU = {"project": "vision", "profile": "cpu", "hours": 1}


def open_form(browser: Browser, user: str) -> str:
    form = BeautifulSoup(browser.open(f"/hub/spawn/{user}").text, "html.parser").find(id="spawn_form")
    assert form is not None
    return str(form["action"])


def press_start(browser: Browser, action: str, options: dict[str, object]) -> httpx.Response:
    sent = {key: str(value) for key, value in options.items()}
    return browser.client.post(action, data=sent, headers=NAVIGATION)


def fill_form(browser: Browser, user: str, options: dict[str, object]) -> httpx.Response:
    return press_start(browser, open_form(browser, user), options)


def reason(response: httpx.Response) -> str:
    return response.headers.get("Labpool-Reason", "")


def test_nothing_chosen_starts_a_cpu_server_that_sees_no_gpu(lab: RunningLab):
    assert lab.start_server("ada", None).status_code in {201, 202}
    lab.wait_ready("ada")
    told = lab.told("ada")
    assert (told["LABPOOL_PROFILE"], told["CUDA_VISIBLE_DEVICES"], told["LABPOOL_DEVICES"]) == ("cpu", "", "[]")
    assert "LABPOOL_TICKET" not in told


def test_server_is_told_exactly_its_leased_devices(lab: RunningLab):
    lab.start_server("ada", {"project": "vision", "profile": "gpu-2", "hours": 2})
    lab.wait_ready("ada")
    told, ticket = lab.told("ada"), lab.ticket("ada")
    assert ticket is not None
    assert ticket.lease is not None
    assert told["LABPOOL_TICKET"] == ticket.id
    assert tuple(device["id"] for device in json.loads(told["LABPOOL_DEVICES"])) == ticket.lease.devices
    assert told["CUDA_VISIBLE_DEVICES"] == ""  # simulated devices are no CUDA devices
    assert (told["LABPOOL_PROJECT"], told["LABPOOL_PRESET"]) == ("vision", "mirrored")
    assert (told["LABPOOL_PRECISION"], told["LABPOOL_XLA"]) == ("auto", "auto")
    assert told["HOME"] == str(lab.place.home_of("ada"))
    assert told["LABPOOL_LOGS"] == str(lab.place.logs_of("ada"))


def test_server_is_told_the_precision_and_compiler_that_its_profile_asks_for(lab: RunningLab):
    lab.start_server("ada", GPU_4)
    lab.wait_ready("ada")
    told = lab.told("ada")
    assert (told["LABPOOL_PRECISION"], told["LABPOOL_XLA"]) == ("float32", "on")


def test_two_tabs_that_start_two_servers_at_once_share_the_limit(lab: RunningLab):
    with ThreadPoolExecutor() as tabs:
        answers = list(tabs.map(lambda name: lab.start_server("ada", GPU_4, name).status_code, ("train", "tune")))
    assert sorted(answers) in ([201, 503], [202, 503])
    assert len(lab.leased()) == 1
    (waiting,) = (ticket for ticket in lab.home("ada").tickets if ticket.wait)
    assert waiting.wait is not None
    assert waiting.wait.reason == "own_limit"


def test_form_leads_to_the_ticket_page_when_all_gpus_are_leased(lab: RunningLab):
    lab.start_server("ada", GPU_4)
    response = fill_form(lab.signed_in("bert"), "bert", SPEECH)
    ticket = lab.ticket("bert")
    assert ticket is not None
    assert (response.status_code, response.headers["Location"]) == (303, ticket.path)


def test_address_with_options_leads_to_the_ticket_page_too(lab: RunningLab):
    lab.start_server("ada", GPU_4)
    response = lab.signed_in("bert").open_once("/hub/spawn/bert?opt-project=speech&opt-profile=gpu-1&opt-hours=1")
    assert response.status_code == 303
    assert response.headers["Location"].startswith("/services/pool/tickets/")


def test_program_gets_503_with_the_ticket_and_a_time_to_ask_again(lab: RunningLab):
    lab.start_server("ada", GPU_4)
    response = lab.start_server("bert", SPEECH)
    assert (response.status_code, reason(response)) == (503, "waiting_for_gpu")
    assert response.headers["Location"].startswith("/services/pool/tickets/")
    assert int(response.headers["Retry-After"]) >= 1
    assert "You wait because" in response.json()["message"]


def test_waiting_server_starts_by_itself_when_the_turn_comes(lab: RunningLab):
    lab.start_server("ada", GPU_4)
    lab.wait_ready("ada")
    lab.start_server("bert", SPEECH)
    lab.stop_server("ada")
    lab.wait_ready("bert")
    assert len(json.loads(lab.told("bert")["LABPOOL_DEVICES"])) == 1


def test_repeated_start_of_a_waiting_server_keeps_its_one_ticket(lab: RunningLab):
    lab.start_server("ada", GPU_4)
    places = {lab.start_server("bert", SPEECH).headers["Location"] for _ in range(3)}
    assert len(places) == 1
    assert len(lab.home("bert").tickets) == 1


def test_two_tabs_pressing_start_at_once_start_one_server(lab: RunningLab):
    first, second = lab.signed_in("ada"), lab.signed_in("ada")
    tabs = [(browser, open_form(browser, "ada"), GPU_1) for browser in (first, second)]
    with ThreadPoolExecutor() as people:
        answers = {response.status_code for response in people.map(lambda tab: press_start(*tab), tabs)}
    lab.wait_ready("ada")
    assert 302 in answers
    assert answers <= {302, 400, 500}  # 500 is the hub's own for a start that another one overtook
    assert len(lab.leased()) == 1


def test_named_servers_have_leases_of_their_own(lab: RunningLab):
    for name in ("train", "tune"):
        lab.start_server("ada", GPU_1, name)
        lab.wait_ready("ada", name)
    devices = [tuple(devices) for devices in lab.leased().values()]
    assert len(devices) == len(set(devices)) == 2
    assert lab.told("ada", "train")["LABPOOL_RUNTIME"].endswith("ada/train")


def test_stored_options_are_checked_at_the_next_start(lab: RunningLab):
    lab.start_server("ada", CPU)
    lab.wait_ready("ada")
    lab.stop_server("ada")
    changed = lab.api("PATCH", "/users/ada/server", {"user_options": {"gres": "gpu:8", "profile": "gpu-4"}})
    response = lab.start_server("ada", None)
    assert changed.status_code == 200
    assert (response.status_code, reason(response)) == (422, "unknown_option")
    lab.api("PATCH", "/users/ada/server", {"user_options": {}})


def test_address_left_by_a_refused_form_starts_nothing(lab: RunningLab):
    browser = lab.signed_in("ada")
    refused = fill_form(browser, "ada", {"project": "vision", "profile": "gpu-1", "hours": 99})
    assert refused.status_code == 422
    assert "at most 8 hours" in refused.text
    again = browser.open(str(refused.url))
    assert "_xsrf" in str(refused.url)
    assert "Nothing was started" in again.text
    assert not lab.is_active("ada")


def test_home_page_shows_tickets_and_the_way_to_the_curves(lab: RunningLab):
    lab.start_server("ada", GPU_1)
    page = BeautifulSoup(lab.signed_in("ada").open("/hub/home").text, "html.parser")
    assert "One GPU for Vision group" in page.get_text(" ", strip=True)
    assert page.find("a", href=re.compile("^/logs/ada/"))


def test_form_tells_what_is_free_now(lab: RunningLab):
    lab.start_server("ada", {"project": "vision", "profile": "gpu-2", "hours": 1})
    page = BeautifulSoup(lab.signed_in("bert").open("/hub/spawn/bert").text, "html.parser").get_text(" ", strip=True)
    assert "2 of 4 free" in page
    assert "simulated" in page


def test_pool_that_starts_what_has_just_ended_gets_no_new_ticket(lab: RunningLab):
    token = lab.place.secret("pool_token")
    response = lab.api("POST", "/users/ada/server", {"user_options": GPU_1}, token)
    assert (response.status_code, reason(response)) == (409, "server_is_ending")
    assert lab.home("ada").tickets == ()
