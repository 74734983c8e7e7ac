"""Every reason for which a request isn't let through, in words."""

from __future__ import annotations

from labpool.hub_signin.refusals import Refusal

_TOKEN_REMEDY = "Make a token on the hub's Token page and send it as `Authorization: token …`."  # noqa: S105 (words)


def unknown_token() -> Refusal:
    """The Authorization header holds no token that the hub knows."""
    detail = "The Authorization header holds no valid token of this hub."
    return Refusal(401, "unknown_token", "The hub doesn't know this token", detail, _TOKEN_REMEDY)


def missing_xsrf_token(header: str) -> Refusal:
    """A signed-in browser sent something that another page could have sent in its name."""
    return Refusal(
        403,
        "missing_xsrf_token",
        "This request didn't come from one of our own pages",
        f"With the session cookie, anything but opening a page needs the {header} header that the page was given.",
        "Reload the page and try again; programs use `Authorization: token …`.",
    )


def no_access(user: str, service: str) -> Refusal:
    """The hub doesn't let this user into the service."""
    return Refusal(
        403,
        "no_access",
        "You may not use this service",
        f"{user} has no access to the service {service!r} of this hub.",
        "Ask an administrator of the hub for it.",
    )


def not_signed_in(prefix: str) -> Refusal:
    """There is no session, and this isn't a page load that could lead to one."""
    return Refusal(
        401,
        "not_signed_in",
        "You are signed out",
        "This address needs a signed-in browser or a token of the hub.",
        f"Open {prefix} in the browser to sign in again; programs use `Authorization: token …`.",
        retry_url=prefix,
    )


def signin_expired(prefix: str) -> Refusal:
    """The browser came back from the hub without a sign-in of ours under way."""
    return Refusal(
        400,
        "signin_expired",
        "This sign-in is no longer valid",
        "It took longer than ten minutes, was used already, or the browser keeps no cookies.",
        "Try again.",
        retry_url=prefix,
    )


def signin_denied(error: str, prefix: str) -> Refusal:
    """The hub sent the browser back with an error in place of a code."""
    known = error if error.replace("_", "").isalpha() else "no reason given"
    return Refusal(
        403,
        "signin_denied",
        "The hub didn't let you sign in here",
        f"The hub answered: {known}.",
        "Try again, or ask an administrator of the hub for access to this service.",
        retry_url=prefix,
    )


def hub_is_down(retry_after: int, retry_url: str) -> Refusal:
    """The hub can't be asked who this is."""
    return Refusal(
        503,
        "hub_unavailable",
        "The hub isn't answering",
        "Nobody can be signed in while the hub is down or restarting, which takes a few seconds as a rule. "
        "What runs goes on running.",
        "Try again in a moment.",
        retry_after=retry_after,
        retry_url=retry_url,
    )
