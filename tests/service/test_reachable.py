"""A user's webhook can't make the pool call what only the pool can reach."""

from __future__ import annotations

import pytest
from labpool.service.sending.attempts import NeverSent, NotSent
from labpool.service.sending.reachable import NotAllowed, checked_url, target_of
from labpool.service.sending.webhooks import call

NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "ftp://example.org/",
        "https://",
        "example.org",
        "https://ada:secret@example.org/",
        "https://example.org/#part",
        "https://127.0.0.1:8081/hub/api",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00::1]/",
        "https://[2002:7f00:1::]/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
    ],
)
def test_what_may_not_be_called_is_refused_with_what_may(url: str):
    with pytest.raises(NotAllowed, match=r"https://|allow"):
        checked_url(url, NOBODY)


@pytest.mark.parametrize("url", ["https://example.org/hook?a=1", "https://8.8.8.8/", "https://example.org:8443/x"])
def test_https_to_a_public_address_may_be_called(url: str):
    assert str(checked_url(url, NOBODY)) == url


def test_an_allowed_host_is_allowed_on_its_port_only():
    allowed = frozenset({"ci.internal:8080"})
    assert checked_url("http://CI.internal:8080/x", allowed).host == "ci.internal"
    for url in ("http://ci.internal/x", "http://ci.internal:8081/x"):
        with pytest.raises(NotAllowed):
            checked_url(url, allowed)


@pytest.mark.parametrize("name", ["localhost", "127.1", "2130706433", "0x7f.1"])
async def test_a_name_that_leads_inside_is_refused_when_it_is_called(name: str):
    with pytest.raises(NotAllowed):
        await target_of(f"https://{name}/", NOBODY)
    with pytest.raises(NeverSent):
        await call(f"https://{name}/", {}, b"", NOBODY)


async def test_a_name_that_nobody_knows_may_be_known_later():
    with pytest.raises(NotSent) as refused:
        await call("https://no-such-host.invalid/", {}, b"", NOBODY)
    assert not isinstance(refused.value, NeverSent)
