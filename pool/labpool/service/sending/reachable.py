"""Whom a webhook may call.

Users choose these addresses and the pool calls them, so without a check the pool could be made to ask what only it can
reach: the hub's API, a cloud's metadata, printers (server-side request forgery). Therefore: https to a public address,
or a host that the lab's admins named. The name is looked up once and the call goes to just the address that was looked
at, so an answer of the name server that changes in between changes nothing. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass

import httpx

from labpool.service.sending.attempts import NotSent

_PORTS = {"https": 443, "http": 80}


class NotAllowed(ValueError):
    """A webhook may not call this address; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be called: connect to `address`, and speak to `url`'s host there."""

    url: httpx.URL
    address: str


def checked_url(text: str, allowed: frozenset[str]) -> httpx.URL:
    """The URL of a webhook, as far as it can be judged without looking its name up.

    Args:
        text: What the user wrote.
        allowed: "host:port" of those that may also be inside the network, and without encryption.

    Raises:
        NotAllowed: it is no such URL.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise NotAllowed(f"{text!r} is no URL. Write one such as https://example.org/hook.") from error
    if url.scheme not in _PORTS or not url.host or url.userinfo or url.fragment:
        raise NotAllowed("Write a URL such as https://example.org/hook, without a user name, password or #.")
    if _place(url) in allowed:
        return url
    if url.scheme != "https":
        raise NotAllowed("It must begin with https://, unless the lab's admins allow this host (webhook_hosts).")
    if _is_inside(url.host):
        raise NotAllowed(_inside(url.host))
    return url


async def target_of(text: str, allowed: frozenset[str]) -> Target:
    """Where to connect for a webhook, now.

    Raises:
        NotAllowed: it may not be called.
        NotSent: its name is not known at the moment.
    """
    url = checked_url(text, allowed)
    host, port = url.host, url.port or _PORTS[url.scheme]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotSent(f"the name {host} can't be looked up: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    if _place(url) not in allowed and any(map(_is_inside, addresses)):
        raise NotAllowed(_inside(host))
    return Target(url, addresses[0])


def _place(url: httpx.URL) -> str:
    return f"{url.host.lower()}:{url.port or _PORTS[url.scheme]}"


def _is_inside(host: str) -> bool:
    """Whether this is the address of something that the internet can't reach; a name is not."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    embedded = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return not address.is_global or address.is_multicast or (embedded is not None and _is_inside(str(embedded)))


def _inside(host: str) -> str:
    return (
        f"{host} is inside a private network. Choose a public one, or ask the lab's admins to allow it (webhook_hosts)."
    )
