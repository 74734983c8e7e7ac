"""Whatever JSON arrives as options: a server with what it may use, a ticket, or a refusal that says why."""

import json
import math
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.clearing import leave_queue
from tests.real_hub import wait_until
from tests.running_lab import ADMIN_TOKEN, RunningLab, running_lab

pytestmark = [pytest.mark.hub, pytest.mark.long]

# the hub ends at the first start that it counts as a failure of its own
HUB = "c.Spawner.consecutive_failure_limit = 1\nc.JupyterHub.concurrent_spawn_limit = 0"
EXAMPLES = 500

NAMES = st.sampled_from(["vision", "speech", "cpu", "gpu-1", "gpu-2", "gpu-4", "gpu-9", ""])
NUMBERS = st.sampled_from([0, -1, 1, 0.5, 8, 9, "1", "1e400", math.nan, math.inf, 10**300, True])
VALUES = NAMES | NUMBERS | st.none() | st.text(max_size=8)
ANY_JSON = st.recursive(
    VALUES | st.floats() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["project", "profile", "hours", "_xsrf", "gres", "image", "user_options", "display_name"])
ALMOST_RIGHT = st.fixed_dictionaries(
    {"project": st.sampled_from(["vision", ["vision"], "speech"]), "profile": NAMES | ANY_JSON},
    optional={"hours": NUMBERS | ANY_JSON},
)
OPTIONS = ALMOST_RIGHT | st.dictionaries(KEYS | st.text(max_size=8), ANY_JSON, max_size=4) | ANY_JSON


def nested(depth: int) -> object:
    found: object = "x"
    for _ in range(depth):
        found = [found]
    return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """Half of the GPUs are olga's, so that ada may start with one or two and waits for four."""
    with running_lab(tmp_path_factory.mktemp("lab"), hub_config=HUB) as lab:
        lab.signed_in("ada")
        lab.signed_in("olga")
        lab.start_server("olga", {"project": "vision", "profile": "gpu-2", "hours": 8})
        lab.wait_ready("olga")
        yield lab


def send(lab: RunningLab, method: str, body: object) -> httpx.Response:
    headers = {"Authorization": f"token {ADMIN_TOKEN}", "Content-Type": "application/json"}
    address = f"{lab.ports.hub_api_url}/users/ada/server"
    content = b"" if body is None else json.dumps(body).encode()
    return httpx.request(method, address, content=content, headers=headers, timeout=60, trust_env=False)


def ask(lab: RunningLab, way: str, options: object) -> httpx.Response:
    if way in {"stored", "stored bare"}:
        stored = send(lab, "PATCH", {"user_options": options} if way == "stored" else options)
        return send(lab, "POST", None) if stored.is_success else stored
    return send(lab, "POST", {"user_options": options} if way == "wrapped" else options)


def check_running_server(lab: RunningLab) -> None:
    """It sees the devices of its own lease, or none at all; then it is stopped."""
    lab.wait_ready("ada")
    told, ticket = lab.told("ada"), lab.ticket("ada")
    devices = tuple(device["id"] for device in json.loads(told["LABPOOL_DEVICES"]))
    leased = ticket.lease.devices if ticket and ticket.lease else ()
    assert devices == leased
    assert (told.get("LABPOOL_TICKET"), told["CUDA_VISIBLE_DEVICES"]) == (ticket.id if ticket else None, "")
    lab.stop_server("ada")
    wait_until(lambda: lab.ticket("ada") is None, "the end of ada's lease")


def is_the_hubs_own_500(response: httpx.Response, way: str, options: object) -> bool:
    """The hub's own answer to a PATCH with no object or with a field that it does not know, whatever the spawner is."""
    unknown = not isinstance(options, dict) or bool(options.keys() - {"display_name", "user_options"})
    return response.status_code == 500 and way == "stored bare" and unknown


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(way=st.sampled_from(["wrapped", "bare", "stored", "stored bare"]), options=OPTIONS)
@example(way="wrapped", options={"project": "vision", "profile": "gpu-1", "hours": 1})
@example(way="wrapped", options={"project": "vision", "profile": "gpu-4", "hours": "1"})
@example(way="stored", options={"project": "vision", "profile": "cpu"})
@example(way="stored bare", options={"project": "vision"})
@example(way="bare", options={"\ud800": "\ud800", "profile": "\x00"})
@example(way="wrapped", options={"profile": nested(300)})
@example(way="wrapped", options={"project": "x" * 100_000})
def test_any_options_give_a_lease_a_ticket_or_a_refusal(lab: RunningLab, way: str, options: object):
    hub = lab.pids("hub")
    response = ask(lab, way, options)
    if response.is_success:
        check_running_server(lab)
    elif response.status_code == 503:
        assert response.headers["Location"].startswith("/services/pool/tickets/")
        assert int(response.headers["Retry-After"]) >= 1
        leave_queue(lab, "ada")
    elif not is_the_hubs_own_500(response, way, options):
        assert 400 <= response.status_code < 500, response.text
        assert response.json()["message"]
        assert response.status_code == 400 or response.headers["Labpool-Reason"]
    assert not lab.is_active("ada")
    assert lab.pids("hub") == hub
