"""What kind of request this is: decided from its headers and its path alone."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.requests import Request

_AUTHORIZATION = re.compile(r"(?:token|bearer)\s+(\S+)\s*", re.IGNORECASE)
_LONGEST_RETURN_PATH = 2048
_UNSAFE_IN_PATH = re.compile(r"[\\\x00-\x20\x7f-\uffff]")


def is_navigation(request: Request) -> bool:
    """Say whether a person opens this address in a browser.

    Browsers send Sec-Fetch-Mode over HTTPS and to the own machine; over plain HTTP the Accept header has to do.
    """
    if not is_reading(request):
        return False
    mode = request.headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate"
    if "x-requested-with" in request.headers:
        return False
    return "text/html" in request.headers.get("accept", "")


def is_reading(request: Request) -> bool:
    """Say whether the request's method changes nothing."""
    return request.method in {"GET", "HEAD"}


def is_reading_or_same_origin(request: Request) -> bool:
    """Say whether the request reads, or was sent by a page of this very origin; one that doesn't say so was not."""
    if is_reading(request):
        return True
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("origin", "")).netloc.lower() == request.headers.get("host", "?").lower()


def wants_page(request: Request) -> bool:
    """Say whether an answer in words should be a page; everything that isn't a browser gets JSON."""
    return is_navigation(request) or "text/html" in request.headers.get("accept", "")


def bearer_token(request: Request) -> str | None:
    """Return the token of the Authorization header; None where there is no such header.

    An Authorization header of another kind gives "", so that it is refused and never overruled by a cookie.
    """
    header = request.headers.get("authorization")
    if header is None:
        return None
    match = _AUTHORIZATION.fullmatch(header.strip())
    return match.group(1) if match else ""


def is_https(request: Request) -> bool:
    """Say whether the browser's own connection is HTTPS; the proxies in between name its scheme first."""
    forwarded = request.headers.get("x-forwarded-proto", request.url.scheme)
    return forwarded.split(",")[0].strip().lower() == "https"


def return_path(request: Request, prefix: str) -> str:
    """Return path and query of the request as the browser sent them; where they aren't safe to go back to, `prefix`."""
    raw_path = request.scope.get("raw_path") or request.url.path.encode()
    path = raw_path.decode("latin-1")
    query = request.scope.get("query_string", b"").decode("latin-1")
    return safe_return_path(f"{path}?{query}" if query else path, prefix)


def safe_return_path(wanted: str, prefix: str) -> str:
    """Return `wanted` if it is a path of this service as a browser would read it, otherwise `prefix`.

    A path that starts with the prefix can name no other host: the prefix begins with exactly one slash. What browsers
    rewrite (backslashes, control characters, dot segments, also percent-encoded) is not gone back to.
    """
    path = wanted.partition("?")[0]
    segments = path.lower().replace("%2e", ".").replace("%2f", "/").split("/")
    if (
        not path.startswith(prefix)
        or len(wanted) > _LONGEST_RETURN_PATH
        or _UNSAFE_IN_PATH.search(wanted)
        or not {".", ".."}.isdisjoint(segments)
    ):
        return prefix
    return wanted
