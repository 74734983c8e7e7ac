"""The API for how one wants to be told."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from labpool.api_models import AddressConfirmed, PreferencesAsked, PreferencesSaved, PreferencesView, Problem
from labpool.domain.notices import NoticeKind
from labpool.hub_signin import Refusal, SignedIn
from labpool.service.access import READ, WRITE, Person, ThePool, needs
from labpool.service.parts import Parts
from labpool.service.preferring import ask_again, confirm, prefer, renew_secret
from labpool.service.problems import Rejected
from labpool.store import Preferences

_Responses = dict[int | str, dict[str, Any]]  # as FastAPI has it
_REFUSALS: _Responses = {code: {"model": Problem} for code in (401, 403)}
_CONFLICTS: _Responses = _REFUSALS | {409: {"model": Problem}}
_LIMITED: _Responses = {429: {"model": Problem}}

routes = APIRouter(prefix="/me/preferences", tags=["notices"])


@routes.get("", responses=_REFUSALS, summary="How I want to be told")
async def preferences(user: Person, pool: ThePool) -> PreferencesView:
    """Addresses, kinds of notices and quiet hours."""
    needs(user, READ)
    return await preferences_of(pool, user)


@routes.put("", responses=_REFUSALS | _LIMITED | {422: {"model": Problem}}, summary="Say how I want to be told")
async def change(asked: PreferencesAsked, user: Person, pool: ThePool) -> PreferencesSaved:
    """Replace all of it. A new address gets a mail, and nothing else before the link in that is followed.

    A webhook with another address than before gets a new secret, which is told in this answer only.
    """
    needs(user, WRITE)
    saved, secret = await prefer(pool.desk, pool.post, _person(user), asked)
    return PreferencesSaved(**_shown(saved, pool), webhook_secret=secret)


@routes.post("/email/ask", responses=_CONFLICTS | _LIMITED, summary="Send the mail that confirms an address again")
async def ask(user: Person, pool: ThePool) -> PreferencesView:
    """The link in the earlier one is void then."""
    needs(user, WRITE)
    return PreferencesView(**_shown(await ask_again(pool.desk, _person(user)), pool))


@routes.post("/email/confirm", responses=_CONFLICTS, summary="Confirm an address")
async def confirmed(link: AddressConfirmed, user: Person, pool: ThePool) -> PreferencesView:
    """With the token of the link that was sent to it."""
    needs(user, WRITE)
    return PreferencesView(**_shown(await confirm(pool.desk, pool.post, _person(user), link.token), pool))


@routes.post("/webhook/secret", responses=_CONFLICTS, summary="Sign the webhook with a new secret")
async def secret(user: Person, pool: ThePool) -> PreferencesSaved:
    """The old one is void at once."""
    needs(user, WRITE)
    saved, renewed = await renew_secret(pool.desk, _person(user))
    return PreferencesSaved(**_shown(saved, pool), webhook_secret=renewed)


async def preferences_of(pool: Parts, user: SignedIn) -> PreferencesView:
    """A person's preferences as they are shown.

    Raises:
        Rejected: it is no person.
    """
    name = _person(user)
    return PreferencesView(**_shown(await pool.desk.view(lambda view: view.preferences.of(name)), pool))


def _person(user: SignedIn) -> str:
    if user.kind != "user":
        detail, remedy = "A service gets no notices.", "Use the token of a user."
        raise Rejected(Refusal(403, "no_person", "Only for people", detail, remedy))
    return user.name


def _shown(preferences: Preferences, pool: Parts) -> dict[str, Any]:
    return {
        "email": preferences.email,
        "unconfirmed": preferences.unconfirmed,
        "email_kinds": frozenset(map(NoticeKind, preferences.email_kinds)),
        "webhook_url": preferences.webhook_url,
        "webhook_kinds": frozenset(map(NoticeKind, preferences.webhook_kinds)),
        "quiet_from": preferences.quiet_from or None,
        "quiet_to": preferences.quiet_to or None,
        "timezone": preferences.zone,
        "sends_mail": pool.post.settings().mail is not None,
    }
