"""Changing how one wants to be told."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from email.errors import HeaderParseError
from email.headerregistry import Address

from labpool.api_models import PreferencesAsked
from labpool.hub_signin import Refusal
from labpool.service.desk import Desk
from labpool.service.problems import Rejected
from labpool.service.sending.post import CONFIRM_WITHIN, Post
from labpool.service.sending.reachable import NotAllowed, checked_url
from labpool.service.sending.webhooks import new_secret
from labpool.service.trail import note
from labpool.settings.time_zones import zone_named
from labpool.store import Preferences, Transaction, Way

BETWEEN_QUESTIONS = timedelta(minutes=1)
MOST_QUESTIONS_A_DAY = 5
"""Mails to addresses that nobody has confirmed: the pool must not be used to pester strangers."""


async def prefer(desk: Desk, post: Post, user: str, asked: PreferencesAsked) -> tuple[Preferences, str | None]:
    """Write all of a user's preferences; give them, and the webhook's secret where it is a new one.

    Raises:
        Rejected: something of it can't be; the problem says what and why.
    """
    _check(asked, post)

    def write(change: Transaction) -> tuple[Preferences, str | None]:
        before, now = change.preferences.of(user), desk.clock()
        secret = new_secret() if asked.webhook_url and asked.webhook_url != before.webhook_url else None
        after = replace(
            before,
            email=asked.email and before.email,
            unconfirmed=before.unconfirmed if asked.email == before.unconfirmed else "",
            email_kinds=frozenset(kind.value for kind in asked.email_kinds),
            webhook_url=asked.webhook_url,
            webhook_secret=(secret or before.webhook_secret) if asked.webhook_url else "",
            webhook_kinds=frozenset(kind.value for kind in asked.webhook_kinds),
            quiet_from=asked.quiet_from or "",
            quiet_to=asked.quiet_to or "",
            zone=asked.timezone,
        )
        if asked.email not in ("", before.email, before.unconfirmed):
            after = _ask_to_confirm(change, replace(after, unconfirmed=asked.email), now)
        return _save(change, after, "preferences_changed", now), secret

    return await desk.change(write, replan=False)


async def ask_again(desk: Desk, user: str) -> Preferences:
    """Send the mail anew that confirms an address.

    Raises:
        Rejected: no address waits for that, or too many of these mails were sent.
    """

    def write(change: Transaction) -> Preferences:
        before, now = change.preferences.of(user), desk.clock()
        if not before.unconfirmed:
            raise Rejected(_nothing_to_confirm())
        return _save(change, _ask_to_confirm(change, before, now), "address_asked_again", now)

    return await desk.change(write, replan=False)


async def confirm(desk: Desk, post: Post, user: str, token: str) -> Preferences:
    """Take the unconfirmed address for the user's own.

    Raises:
        Rejected: the token is not the one that was sent to it within the last day.
    """

    def write(change: Transaction) -> Preferences:
        before, now = change.preferences.of(user), desk.clock()
        expected = post.confirmation_token(before)
        in_time = before.asked_at is not None and now < before.asked_at + CONFIRM_WITHIN
        if not (before.unconfirmed and in_time and hmac.compare_digest(expected.encode(), token.encode())):
            raise Rejected(_link_not_valid())
        after = replace(before, email=before.unconfirmed, unconfirmed="", asked_at=None)
        return _save(change, after, "address_confirmed", now)

    return await desk.change(write, replan=False)


async def renew_secret(desk: Desk, user: str) -> tuple[Preferences, str]:
    """Sign a user's webhook with a new secret from now on; the old one is forgotten.

    Raises:
        Rejected: there is no webhook.
    """

    def write(change: Transaction) -> tuple[Preferences, str]:
        before, secret = change.preferences.of(user), new_secret()
        if not before.webhook_url:
            raise Rejected(_no_webhook())
        after = replace(before, webhook_secret=secret)
        return _save(change, after, "webhook_secret_renewed", desk.clock()), secret

    return await desk.change(write, replan=False)


def _save(change: Transaction, after: Preferences, event: str, now: datetime) -> Preferences:
    """Write preferences, with an audit row that names no address."""
    change.preferences.save(after)
    ways = {"e-mail": after.email, "e-mail not confirmed": after.unconfirmed, "webhook": after.webhook_url}
    note(change, now, after.user, event, None, ", ".join(way for way, where in ways.items() if where) or "no way")
    return after


def _ask_to_confirm(change: Transaction, preferences: Preferences, now: datetime) -> Preferences:
    user, outbox = preferences.user, change.outbox
    if outbox.confirmations(user, now - BETWEEN_QUESTIONS):
        raise Rejected(_too_many(BETWEEN_QUESTIONS, "a minute"))
    if outbox.confirmations(user, now - timedelta(days=1)) >= MOST_QUESTIONS_A_DAY:
        raise Rejected(_too_many(timedelta(hours=1), "some hours"))
    outbox.post(user, Way.EMAIL, now)
    return replace(preferences, asked_at=now)


def _check(asked: PreferencesAsked, post: Post) -> None:
    if asked.email:
        if post.settings().mail is None:
            raise Rejected(_no_mail_server())
        if not _is_address(asked.email):
            raise Rejected(_no_address(asked.email))
    if asked.webhook_url:
        try:
            checked_url(asked.webhook_url, post.settings().webhook_hosts)
        except NotAllowed as error:
            raise Rejected(_not_allowed(error)) from error
    if zone_named(asked.timezone) is None:
        raise Rejected(_no_zone(asked.timezone))
    if (asked.quiet_from is None) != (asked.quiet_to is None) or (asked.quiet_from == asked.quiet_to is not None):
        raise Rejected(_half_quiet())


def _is_address(text: str) -> bool:
    """Whether a mail can be addressed so; whether anybody reads it there shows when it is confirmed."""
    try:
        address = Address(addr_spec=text)
    except (HeaderParseError, ValueError, IndexError):
        return False
    plain = text.isascii() and text.isprintable() and " " not in text
    return plain and bool(address.username) and "." in address.domain


def _nothing_to_confirm() -> Refusal:
    detail = "No address of yours waits to be confirmed."
    return Refusal(409, "nothing_to_confirm", "Nothing to confirm", detail, "Write an address, and save.")


def _link_not_valid() -> Refusal:
    return Refusal(
        409,
        "link_not_valid",
        "This link is not valid",
        "It is older than a day, an earlier one than the last, or was sent to somebody else's address.",
        "Look for the newest mail, or have it sent again on the page of your preferences.",
    )


def _no_webhook() -> Refusal:
    return Refusal(409, "no_webhook", "No webhook", "You have set no webhook.", "Write its address, and save.")


def _too_many(after: timedelta, words: str) -> Refusal:
    return Refusal(
        429,
        "too_many_mails",
        "Not so many mails",
        "The mail that confirms an address was sent a moment ago, or many times today.",
        f"Look into that mailbox, its spam folder too, and try again in {words}.",
        retry_after=int(after.total_seconds()),
    )


def _no_mail_server() -> Refusal:
    return Refusal(
        422,
        "no_mail_server",
        "No mails here",
        "This pool has no mail server.",
        "Ask the lab's admins, or use a webhook.",
    )


def _no_address(text: str) -> Refusal:
    remedy = "Write one such as ada@example.org."
    return Refusal(422, "no_address", "Not an address", f"{text!r} is no e-mail address.", remedy)


def _not_allowed(error: NotAllowed) -> Refusal:
    detail = f"The webhook can't be called: {error}"
    return Refusal(422, "webhook_not_allowed", "Not this webhook", detail, "Write another address.")


def _no_zone(name: str) -> Refusal:
    remedy = "Write the name of an IANA zone, such as Europe/Berlin."
    return Refusal(422, "unknown_time_zone", "No such time zone", f"There is no time zone {name!r}.", remedy)


def _half_quiet() -> Refusal:
    detail = "Quiet hours need a beginning and another time as their end."
    return Refusal(422, "half_quiet_hours", "Not these quiet hours", detail, "Set both, or neither.")
