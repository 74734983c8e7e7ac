"""What counts as a person using the server."""

from __future__ import annotations

import pytest
from labpool_logs.server_extension.person import Answered, is_use_by_a_person

OPENED = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "application/json"}


@pytest.mark.parametrize(
    "answered",
    [
        Answered("GET", "lab", 200, OPENED),
        Answered("GET", "lab/tree/quickstart.ipynb", 200, OPENED),
        Answered("GET", "doc/workspaces/x", 200, {"accept": "text/html,*/*"}),
        Answered("GET", "", 200, OPENED),
        Answered("POST", "api/kernels", 201, SCRIPT),
        Answered("POST", "api/kernels/1-2/restart", 200, SCRIPT),
        Answered("POST", "api/sessions", 201, SCRIPT),
        Answered("PATCH", "api/sessions/1-2", 200, SCRIPT),
        Answered("POST", "api/terminals", 200, SCRIPT),
        Answered("PUT", "api/contents/quickstart.ipynb", 200, SCRIPT),
    ],
)
def test_a_person_opened_started_or_saved(answered: Answered):
    assert is_use_by_a_person(answered)


@pytest.mark.parametrize(
    "answered",
    [
        Answered("GET", "api", 200, {"Accept": "*/*"}),  # the hub's health check
        Answered("GET", "api/kernels", 200, SCRIPT),
        Answered("GET", "api/status", 200, OPENED),
        Answered("GET", "api/contents/x", 200, {"Accept": "text/html"}),
        Answered("GET", "lab", 200, SCRIPT),
        Answered("GET", "lab", 200, {"Accept": "*/*"}),
        Answered("GET", "lab", 200, OPENED | {"Sec-Purpose": "prefetch"}),
        Answered("GET", "lab", 200, OPENED | {"Sec-Fetch-Dest": "iframe"}),
        Answered("GET", "lab", 302, OPENED),
        Answered("GET", "lab", 403, OPENED),
        Answered("GET", "static/lab/main.js", 200, OPENED),
        Answered("GET", "tensorboard/", 200, OPENED),
        Answered("POST", "tensorboard/data/plugin/timeseries/timeSeries", 200, SCRIPT),
        Answered("PUT", "lab/api/workspaces/default", 204, SCRIPT),
        Answered("POST", "api/kernels", 403, SCRIPT),
        Answered("POST", "api/kernelspecs", 200, SCRIPT),
        Answered("HEAD", "lab", 200, OPENED),
    ],
)
def test_nobody_did_anything(answered: Answered):
    assert not is_use_by_a_person(answered)
