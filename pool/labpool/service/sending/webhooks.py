"""Calling a user's program with a notice, signed by the scheme of Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: three headers, `webhook-id`
(the same at each try, so that a repeat is recognised), `webhook-timestamp` (seconds since 1970, of this try) and
`webhook-signature`: "v1," and the base64 of HMAC-SHA256 over "id.timestamp.body". Many languages have libraries for it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import secrets
from collections.abc import Mapping
from datetime import datetime

import httpx

from labpool.domain.tickets import Ticket
from labpool.service.sending.attempts import NeverSent, NotSent
from labpool.service.sending.reachable import NotAllowed, target_of
from labpool.store import Notice

TIMEOUT = 10.0
"""Seconds within which the other side must have answered."""

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """A secret to sign with, in the form that the scheme's libraries read: 256 bits."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def payload(notice: Notice, ticket: Ticket, pages: str) -> bytes:
    """A notice as JSON: what kind, when, and about which ticket."""
    data = {
        "kind": notice.kind,
        "message": notice.message,
        "ends_at": notice.ends_at.isoformat() if notice.ends_at else None,
        "ticket": ticket.id,
        "user": ticket.user,
        "server": ticket.name,
        "project": ticket.project,
        "url": f"{pages}/tickets/{ticket.id}",
    }
    body = {"type": f"notice.{notice.kind}", "timestamp": notice.at.isoformat(), "data": data}
    return json.dumps(body, separators=(",", ":")).encode()


def signed_headers(secret: str, delivery: str, at: datetime, body: bytes) -> dict[str, str]:
    """The scheme's headers for one try."""
    timestamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.new(key, f"{delivery}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": delivery,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


async def call(url: str, headers: Mapping[str, str], body: bytes, allowed: frozenset[str]) -> None:
    """POST `body`; any answer from 200 to 299 counts, and what stands in it is not read.

    Raises:
        NotSent: no such answer in time.
        NeverSent: the address may not be called, or answers 410: it wants no more.
    """
    try:
        target = await target_of(url, allowed)
    except NotAllowed as error:
        raise NeverSent(str(error)) from error
    sent = {"Host": target.url.netloc.decode(), "Content-Type": "application/json", "User-Agent": "labpool", **headers}
    pinned = target.url.copy_with(host=_bracketed(target.address))
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False, follow_redirects=False) as client:
            request = client.build_request(
                "POST", pinned, content=body, headers=sent, extensions={"sni_hostname": target.url.host}
            )
            answer = await client.send(request, stream=True)
            await answer.aclose()
    except (httpx.HTTPError, OSError) as error:
        raise NotSent(f"no answer: {type(error).__name__} {error}".strip()) from error
    if answer.status_code == httpx.codes.GONE:
        raise NeverSent("answered 410: it wants no more")
    if not answer.is_success:
        raise NotSent(f"answered {answer.status_code}")


def _bracketed(address: str) -> str:
    return f"[{address}]" if ipaddress.ip_address(address.partition("%")[0]).version == 6 else address
