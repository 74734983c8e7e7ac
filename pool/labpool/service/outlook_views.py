"""What people see of what a ticket in line may expect."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TypedDict

from labpool.api_models import HolderView, OfferView, WaitView
from labpool.domain.explain import place, promise, why_waiting
from labpool.domain.reasons import Holder
from labpool.domain.sentences import no_promise_sentence, wait_sentence
from labpool.domain.sooner import Offer, sooner
from labpool.domain.tickets import State, Ticket
from labpool.domain.turn_sentences import NO_PROMISE
from labpool.domain.world import World


class Outlook(TypedDict):
    """What a ticket in line may expect, by the names that its view has for it."""

    place: int | None
    project_line: bool
    starts_by: datetime | None
    no_promise: str
    planned_start: datetime | None
    wait: WaitView | None
    sooner: tuple[OfferView, ...]


def outlook(ticket: Ticket, world: World, now: datetime) -> Outlook:
    """What a ticket may expect; mostly nothing where it is not in line."""
    waits = ticket.state is State.QUEUED  # who started early may have a place to fall back on
    slot = next((slot for slot in world.slots if waits and slot.ticket == ticket.id), None)
    return {
        "place": place(ticket, world),
        "project_line": waits and world.verdicts is not None,
        "starts_by": promise(ticket, world),
        "no_promise": _no_promise(ticket, world),
        "planned_start": slot.start if slot else None,
        "wait": _wait(ticket, world, now),
        "sooner": tuple(_offer(offer) for offer in sooner(ticket, world, now)),
    }


def _no_promise(ticket: Ticket, world: World) -> str:
    if world.verdicts is None:
        return no_promise_sentence(ticket, world.catalogue)
    return NO_PROMISE if ticket.waits else ""


def _wait(ticket: Ticket, world: World, now: datetime) -> WaitView | None:
    wait = why_waiting(ticket, world, now)
    if wait is None:
        return None
    said = wait_sentence(ticket, wait, world.catalogue, timezone.utc, now)
    return WaitView(
        reason=wait.reason.value,
        message=said.message,
        remedy=said.remedy,
        holders=tuple(_holder(holder) for holder in wait.holders),
    )


def _holder(holder: Holder) -> HolderView:
    own = holder.own
    return HolderView(
        project=holder.project,
        devices=holder.devices,
        since=holder.since,
        until=holder.until,
        own=own,
        user=holder.user if own else None,
        name=holder.name if own else None,
    )


def _offer(offer: Offer) -> OfferView:
    return OfferView(
        profile=offer.profile.name, profile_title=offer.profile.title, hours=offer.duration / timedelta(hours=1)
    )
