"""Where a browser may be sent after sign-in: nowhere but into the service that it came from."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from labpool.hub_signin.request_kind import safe_return_path

PREFIX = "/logs/"
HUB = "https://hub.example"


@pytest.mark.parametrize(
    "wanted",
    ["/logs/", "/logs/ada/vision/", "/logs/ada/vision/?darkMode=true#scalars", "/logs/a%20b/?next=//evil.example"],
)
def test_own_addresses_are_gone_back_to_unchanged(wanted: str):
    assert safe_return_path(wanted, PREFIX) == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example/logs/",
        "\\\\evil.example/logs/",
        "/\\evil.example",
        "https://evil.example/logs/",
        "/logs/../hub/logout",
        "/logs/%2e%2e/hub/logout",
        "/logs/x%2F..%2F..%2Fhub",
        "/logs\\..\\hub",
        "/logs/\r\nSet-Cookie: a=b",
        "/logs/\thub",
        "/hub/logout",
        "/logs",
        "",
        "/logs/" + "x" * 3000,
    ],
)
def test_anything_else_leads_to_the_front_page(wanted: str):
    assert safe_return_path(wanted, PREFIX) == PREFIX


@given(st.text() | st.text("/\\.%2eEfF:logs@?#\t", max_size=30).map(lambda tail: "/logs/" + tail))
@example("/logs/..//evil.example")
@example("/logs/.%2E/")
def test_no_wish_leads_out_of_the_service(wanted: str):
    target = urlsplit(urljoin(HUB + PREFIX, safe_return_path(wanted, PREFIX)))

    assert (target.scheme, target.netloc) == ("https", "hub.example")
    assert target.path.startswith(PREFIX)
