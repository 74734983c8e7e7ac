"""The key that cookies are signed with, and what a service says about itself."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from labpool.hub_signin import SigninSettings, read_or_create_cookie_key
from labpool.hub_signin.settings import CookieKeyError

KEY = bytes(32)


def test_key_is_made_once_for_its_owner_only_and_stays(tmp_path: Path):
    path = tmp_path / "secrets" / "cookie-key"
    first = read_or_create_cookie_key(path)

    assert len(first) == 32
    assert read_or_create_cookie_key(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["cookie-key"]


def test_processes_that_start_together_get_the_same_key(tmp_path: Path):
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(read_or_create_cookie_key, [tmp_path / "key"] * 8))

    assert len(keys) == 1


@pytest.mark.parametrize("content", ["", "not hexadecimal", "abcd"])
def test_unusable_key_says_what_to_do(tmp_path: Path, content: str):
    path = tmp_path / "key"
    path.write_text(content)

    with pytest.raises(CookieKeyError, match="Delete the file"):
        read_or_create_cookie_key(path)


@pytest.mark.parametrize("prefix", ["logs", "/logs", "logs/", "//logs/"])
def test_prefix_without_both_slashes_is_refused(prefix: str):
    with pytest.raises(ValueError, match="slash at both ends"):
        SigninSettings("logs", prefix, "http://127.0.0.1:8081/hub/api", "token", KEY)


def test_secrets_stay_out_of_what_is_logged():
    settings = SigninSettings("logs", "/logs/", "http://127.0.0.1:8081/hub/api", "the-token", KEY)

    assert "the-token" not in repr(settings)
    assert str(KEY) not in repr(settings)
