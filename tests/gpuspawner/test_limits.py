"""The limits hold by every way in, with a real hub and a real pool."""

import httpx
import pytest

from tests.gpuspawner.test_starts import CPU, GPU_1, GPU_4, reason
from tests.real_hub import wait_until
from tests.running_lab import RunningLab

pytestmark = pytest.mark.hub


def test_admin_starting_it_for_the_user_meets_the_users_limits(lab: RunningLab):
    lab.start_server("ada", GPU_4)
    response = lab.start_server("ada", GPU_1, "more")  # the test's token is an admin's
    ticket = lab.ticket("ada", "more")
    assert response.status_code == 503
    assert ticket is not None
    assert ticket.wait is not None
    assert ticket.wait.reason == "own_limit"


def test_own_token_and_stored_options_meet_the_limits_too(lab: RunningLab):
    token = {"Authorization": f"token {lab.token_for('ada')}"}

    def post(server: str, options: object) -> httpx.Response:
        address = f"{lab.ports.hub_api_url}/users/ada/{server}"
        return httpx.post(address, json=options, headers=token, timeout=60, trust_env=False)

    assert post("servers/train", {"user_options": GPU_1}).status_code == 201
    assert reason(post("servers/tune", {"user_options": {**GPU_1, "hours": 9}})) == "too_long"
    assert post("servers/tune", {"user_options": GPU_4}).status_code == 503
    assert post("server", {"user_options": CPU}).status_code == 201
    lab.stop_server("ada")
    assert lab.api("PATCH", "/users/ada/server", {"user_options": GPU_4}).status_code == 200
    assert post("server", None).status_code == 503
    waits = {ticket.name: ticket.wait.reason for ticket in lab.home("ada").tickets if ticket.wait}
    assert waits == {"tune": "own_limit", "": "own_limit"}
    lab.api("PATCH", "/users/ada/server", {"user_options": {}})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"project": "speech", "profile": "gpu-1", "hours": 1}, "not_a_member"),
        ({"project": "vision", "profile": "gpu-9", "hours": 1}, "unknown_profile"),
        ({"project": "vision", "profile": "gpu-1", "hours": 100}, "too_long"),
        ({"project": "vision", "profile": "gpu-1", "hours": "NaN"}, "bad_hours"),
        ({"image": "mine"}, "unknown_option"),
    ],
)
def test_what_can_never_be_met_is_refused_with_reason(lab: RunningLab, options: dict[str, object], expected: str):
    response = lab.start_server("ada", options)
    assert (response.status_code, reason(response)) == (422, expected)
    assert lab.home("ada").tickets == ()


def test_more_servers_than_allowed_are_refused_and_named(lab: RunningLab):
    for name in ("a", "b", "c"):
        lab.start_server("ada", CPU, name)
        lab.wait_ready("ada", name)
    response = lab.start_server("ada", CPU, "d")
    assert (response.status_code, reason(response)) == (409, "too_many_servers")
    assert "(a, b, c)" in response.json()["message"]


def test_servers_that_the_pool_starts_count_too_and_the_last_waits_for_another_to_be_stopped(lab: RunningLab):
    names = ("a", "b", "c", "d")
    lab.start_server("olga", GPU_4)
    for name in names:
        assert lab.start_server("ada", GPU_1, name).status_code == 503
    lab.stop_server("olga")
    wait_until(lambda: any(ticket.stop_one_of for ticket in lab.home("ada").tickets), "the limit's effect", 60)
    (last,) = (ticket for ticket in lab.home("ada").tickets if ticket.stop_one_of)
    assert sorted({*last.stop_one_of, last.name}) == list(names)
    wait_until(lambda: sorted(lab.servers("ada")) == sorted(last.stop_one_of), "all of them with the hub")
    lab.stop_server("ada", last.stop_one_of[0])
    lab.wait_ready("ada", last.name)
