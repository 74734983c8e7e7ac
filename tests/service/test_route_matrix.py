"""What each caller gets from each operation of the API and from each page; one that is not listed here fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from labpool.service.app import PREFIX

from tests.service.actors import ACTORS, Robotics, operations, robotics_of
from tests.service.lab import Lab

pytestmark = pytest.mark.once

NewUser = Callable[[], str]

#                                                 anon prog stra memb hold owne admi spaw serv
MATRIX = {
    "GET /healthz":                              "200  200  200  200  200  200  200  200  200",
    "GET /readyz":                               "204  204  204  204  204  204  204  204  204",
    "POST /api/v1/spawns":                       "401  401  401  401  401  401  401  202  401",
    "POST /api/v1/spawns/stopped":               "401  401  401  401  401  401  401  204  401",
    "GET /api/v1/users/{user}/form":             "401  401  401  401  401  401  401  200  401",
    "GET /api/v1/users/{user}/home":             "401  401  401  401  401  401  401  200  401",
    "GET /api/v1/pool":                          "401  403  200  200  200  200  200  401  401",
    "GET /api/v1/me/notices":                    "401  403  200  200  200  200  200  401  401",
    "GET /api/v1/tickets":                       "401  403  200  200  200  200  200  401  401",
    "POST /api/v1/tickets":                      "401  403  201  201  201  201  403  401  401",
    "GET /api/v1/profiles":                      "401  403  200  200  200  200  200  401  401",
    "GET /api/v1/tickets/{ticket}":              "401  403  404  404  200  200  200  401  401",
    "GET /api/v1/tickets/{ticket}/events":       "401  403  404  404  200  200  200  401  401",
    "POST /api/v1/tickets/{ticket}/leave":       "401  403  404  404  200  404  200  401  401",
    "POST /api/v1/tickets/{ticket}/ready":       "401  403  404  404  409  404  409  401  401",
    "POST /api/v1/tickets/{ticket}/switch":      "401  403  404  404  409  404  409  401  401",
    "POST /api/v1/tickets/{ticket}/instead":     "401  403  404  404  409  404  409  401  401",
    "POST /api/v1/tickets/{ticket}/behind":      "401  403  404  404  404  404  404  401  401",
    "POST /api/v1/tickets/{ticket}/end":         "401  403  404  404  409  404  409  401  401",
    "POST /api/v1/tickets/{ticket}/again":       "401  403  404  404  200  404  200  401  401",
    "POST /api/v1/tickets/{ticket}/extend":      "401  403  404  404  409  404  409  401  401",
    "POST /api/v1/tickets/{ticket}/claim":       "401  401  401  401  401  401  401  401  409",
    "GET /api/v1/tickets/{ticket}/notice":       "401  401  401  401  401  401  401  401  204",
    "GET /api/v1/reservations":                  "401  403  200  200  200  200  200  401  401",
    "POST /api/v1/reservations":                 "401  403  403  403  403  201  201  401  401",
    "DELETE /api/v1/reservations/{reservation}": "401  403  403  403  403  204  204  401  401",
    "POST /api/v1/tickets/{ticket}/grant":       "401  403  403  403  403  403  409  401  401",
    "GET /api/v1/devices":                       "401  403  403  403  403  403  200  401  401",
    "GET /api/v1/drains":                        "401  403  403  403  403  403  200  401  401",
    "POST /api/v1/drains":                       "401  403  403  403  403  403  422  401  401",
    "DELETE /api/v1/drains/{drain}":             "401  403  403  403  403  403  404  401  401",
    "POST /api/v1/fences":                       "401  403  403  403  403  403  409  401  401",
    "GET /api/v1/overrides":                     "401  403  403  403  403  403  200  401  401",
    "POST /api/v1/overrides":                    "401  403  403  403  403  403  422  401  401",
    "DELETE /api/v1/overrides/{override}":       "401  403  403  403  403  403  404  401  401",
    "DELETE /api/v1/people/{name}":              "401  403  403  403  403  403  409  401  401",
    "GET /api/v1/usage":                         "401  403  200  200  200  200  200  401  401",
    "GET /api/v1/audit":                         "401  403  403  403  403  403  200  401  401",
    "GET /api/v1/requests/{entry}":              "401  404  404  404  404  404  404  404  401",
    "GET /metrics":                              "401  403  403  403  403  403  200  401  401",
    "GET /api/v1/me/preferences":                "401  403  200  200  200  200  403  401  401",
    "PUT /api/v1/me/preferences":                "401  403  200  200  200  200  403  401  401",
    "POST /api/v1/me/preferences/email/ask":     "401  403  409  409  409  409  403  401  401",
    "POST /api/v1/me/preferences/email/confirm": "401  403  409  409  409  409  403  401  401",
    "POST /api/v1/me/preferences/webhook/secret": "401  403  409  409  409  409  403  401  401",
    "POST /api/v1/reload":                       "401  403  403  403  403  403  200  401  401",
}  # fmt: skip

PAGES = {
    "GET /":                                     "401  403  200  200  200  200  200  401  401",
    "GET /preferences":                          "401  403  200  200  200  200  403  401  401",
    "GET /tickets/{ticket}":                     "401  403  404  404  200  404  200  401  401",
    "GET /tickets/{ticket}/events":              "401  403  404  404  200  404  200  401  401",
    "POST /taken-down":                          "401  404  404  404  404  404  404  404  401",
}  # fmt: skip
"""What the API's description leaves out: the pool's own pages, and where a stand-by sends what it takes down."""

SIGNS_NOBODY_IN = {"GET /openapi.json", "GET /oauth_callback", "GET /static"}
"""For everybody, as they tell nothing of the pool; the second one is where the hub sends a browser to be signed in."""

_days = count(1)


@pytest.fixture
def robotics(lab: Lab, new_user: NewUser) -> Iterator[Robotics]:
    """A pool whose GPUs are all in use, so that the holder's ticket waits."""
    with robotics_of(lab, new_user) as found:
        lab.pool.ask(new_user(), "gpu-4", hours=8)
        yield found
        for each in found.call("admin", "GET", "/api/v1/reservations").json():
            assert found.call("admin", "DELETE", f"/api/v1/reservations/{each['id']}").status_code == 204


def reservation_asked(robotics: Robotics) -> dict[str, object]:
    """One GPU for an hour, each time on another day."""
    start = (robotics.lab.pool.clock() + timedelta(days=next(_days))).replace(tzinfo=None).isoformat()
    return {
        "project": "robotics", "flavour": "demo-gpu", "devices": 1, "start": start, "hours": 1, "timezone": "UTC",
    }  # fmt: skip


def body_of(operation: str, robotics: Robotics) -> object:
    """A body with which the operation is possible, or refused for nothing but the ticket's state."""
    holder = robotics.people["holder"]
    bodies: dict[str, Callable[[], object]] = {
        "POST /api/v1/spawns": lambda: {"user": holder, "project": "robotics", "profile": "gpu-1", "hours": 1},
        "POST /api/v1/spawns/stopped": lambda: {"user": holder, "ticket": "0123456789abcdef"},
        "POST /api/v1/tickets/{ticket}/instead": lambda: {"profile": "gpu-1", "hours": 1},
        "POST /api/v1/tickets/{ticket}/again": lambda: {"starts_again": True},
        "POST /api/v1/tickets/{ticket}/extend": lambda: {"hours": 1},
        "POST /api/v1/tickets/{ticket}/grant": lambda: {"why": "A deadline"},
        "PUT /api/v1/me/preferences": dict[str, str],
        "POST /api/v1/me/preferences/email/confirm": lambda: {"token": "0123456789abcdef"},
        "POST /api/v1/tickets": lambda: {"project": "vision", "profile": "gpu-1", "hours": 1, "name": "program"},
        "POST /api/v1/tickets/{ticket}/behind": lambda: {"ticket": "0123456789abcdef"},
        "POST /api/v1/drains": lambda: {"node": "moon", "why": "It is far away"},
        "POST /api/v1/overrides": lambda: {"rule": "weight", "name": "nobody", "value": 2, "why": "A deadline"},
        "POST /api/v1/fences": lambda: {"node": "demo", "why": "It answers"},
        "POST /api/v1/reservations": lambda: reservation_asked(robotics),
    }
    return bodies[operation]() if operation in bodies else None


def document(robotics: Robotics) -> dict[str, set[str]]:
    return operations(httpx.get(f"{robotics.lab.pool.url}/openapi.json", trust_env=False).json())


def routes(robotics: Robotics) -> set[str]:
    """All that the application answers to, described or not."""
    return {
        f"{method} {re.sub(':[a-z]+}', '}', str(route.path)).removeprefix(PREFIX)}"
        for route in iter_route_contexts(robotics.lab.pool.app.routes)
        for method in (route.methods or {"GET"}) - {"HEAD"}
    }


def reservation_there(operation: str, robotics: Robotics) -> str:
    if "{reservation}" not in operation:
        return ""
    made = robotics.call("admin", "POST", "/api/v1/reservations", reservation_asked(robotics))
    return str(made.json()["id"])


def row_of(operation: str, robotics: Robotics) -> str:
    """What each actor gets, each on a ticket that waits, in the matrix's form."""
    method, path = operation.split()
    found = []
    for actor in ACTORS:
        ticket = robotics.ticket().id
        filled = path.format(
            user=robotics.people["holder"],
            name=robotics.people["holder"],
            ticket=ticket,
            reservation=reservation_there(operation, robotics),
            drain="0123456789abcdef",
            override="0123456789abcdef",
            entry="0123456789abcdef",
        )
        found.append(robotics.call(actor, method, filled, body_of(operation, robotics), ticket).status_code)
    return "  ".join(map(str, found))


def test_each_caller_gets_what_the_matrix_says_and_the_document_names_it(robotics: Robotics):
    documented = document(robotics)
    assert set(documented) == set(MATRIX)
    assert {operation: row_of(operation, robotics) for operation in MATRIX} == MATRIX
    for operation, row in MATRIX.items():
        assert set(row.split()) <= documented[operation], operation


def test_every_route_stands_in_the_matrix_whether_it_is_described_or_not(robotics: Robotics):
    assert routes(robotics) == {*MATRIX, *PAGES, *SIGNS_NOBODY_IN}
    assert {operation: row_of(operation, robotics) for operation in PAGES} == PAGES
