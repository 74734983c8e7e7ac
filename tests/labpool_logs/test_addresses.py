"""What an address may name, whatever is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from labpool_logs.gateway.addresses import FrontPage, NoAddress, ProjectAddress, UserFolder, read_address

PIECES = st.sampled_from(["ada", "vision", "/", "..", ".", "%2e", "%2F", "%25", "%00", "\\", "%5c", "~", "%c3%a4", "-"])


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/logs", FrontPage()),
        ("/logs/", FrontPage()),
        ("/logs/ada", UserFolder("ada")),
        ("/logs/ada/", UserFolder("ada")),
        ("/logs/ada/vision", ProjectAddress("ada", "vision", None)),
        ("/logs/ada/vision/", ProjectAddress("ada", "vision", "")),
        ("/logs/zoe%40lab/v1.2_x/data/runs", ProjectAddress("zoe@lab", "v1.2_x", "data/runs")),
        ("/logs/ada/vision/data/a%20b", ProjectAddress("ada", "vision", "data/a%20b")),
        ("/logsx/", NoAddress()),
        ("/", NoAddress()),
    ],
)
def test_ordinary_addresses_name_what_they_say(path: str, address: object):
    assert read_address(path.encode(), "/logs/") == address


@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=20))
@example("ada/..%2F")
@example("ada/%252e%252e/")
def test_whatever_is_asked_for_names_at_most_a_folder_of_a_user(tail: str):
    address = read_address(f"/logs/{tail}".encode(), "/logs/")

    if isinstance(address, ProjectAddress):
        folder = Path("/store") / address.user / address.project
        assert folder.parent.parent == Path("/store")
        assert ".." not in folder.parts
        assert ".." not in (address.rest or "").split("/")
