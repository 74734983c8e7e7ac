"""Making and cancelling reservations: who may, and what is asked before one that does harm."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from labpool.api_models import ReservationAsked
from labpool.domain.catalogue import Catalogue
from labpool.domain.inventory import Inventory
from labpool.domain.reservations import UNUSED_AFTER, Reservation
from labpool.domain.reserving import Consequences, consequences
from labpool.domain.words import count
from labpool.hub_signin import Refusal, SignedIn
from labpool.service.access import ADMIN
from labpool.service.desk import Desk
from labpool.service.engine_decides import only_a_planner_can
from labpool.service.harm import accepted, covers, harm_in_words, numbers
from labpool.service.problems import Rejected
from labpool.service.recurrence import AHEAD, NotATime, checked, first_time, occurrences
from labpool.service.trail import note
from labpool.store import ReservationSeries, Transaction

_CORRECT = "Correct it and send it again."
_SHARE_OR_CORDON = (
    "Raise the project's nominal devices for that time instead; before maintenance, cordon the machine in the cluster."
)


def may_reserve(user: SignedIn, project: str | None, catalogue: Catalogue) -> bool:
    """Whether `user` may make and cancel reservations of a project: its owners and admins; maintenance only admins."""
    known = catalogue.projects.get(project) if project is not None else None
    owner = user.kind == "user" and known is not None and known.has_owner(user.name, user.groups)
    return owner or user.has_scope(ADMIN)


async def reserve(desk: Desk, asked: ReservationAsked, user: SignedIn) -> str:
    """Make a reservation; give its id.

    Raises:
        Rejected: the user may not; it can't be; or it does harm that no admin has confirmed.
    """
    if not may_reserve(user, asked.project, desk.catalogue):
        raise Rejected(_not_an_owner())
    only_a_planner_can(desk, "a reservation", _SHARE_OR_CORDON)
    now = desk.clock()
    series = await asyncio.to_thread(_series, asked, user, now)
    times = tuple(occurrences(series, now, max(now, series.start) + AHEAD))
    _check_there(asked, desk.inventory)

    def write(change: Transaction) -> Consequences | None:
        found = _weigh(desk, change, times)
        if not (found.harmless or (user.has_scope(ADMIN) and covers(asked.confirm, found))):
            return found
        change.save_reservation(series)
        note(change, desk.clock(), user.name, "reserved", None, f"{_described(series)}{accepted(found)}")
        return None

    found = await desk.change(write)
    if found is not None:
        raise Rejected(_does_harm(found, admin=user.has_scope(ADMIN)))
    return series.id


async def cancel(desk: Desk, reservation: str, user: SignedIn) -> None:
    """Cancel a reservation, what is left of a time that is on as well.

    Raises:
        Rejected: there is none with this id (any more), or the user may not.
    """

    def write(change: Transaction) -> Refusal | None:
        series = next((each for each in change.reservations() if each.id == reservation), None)
        if series is None or (series.until is not None and series.until <= desk.clock()):
            return no_such_reservation()
        if not may_reserve(user, series.project, desk.catalogue):
            return _not_an_owner()
        now = desk.clock()
        change.save_reservation(replace(series, cancelled_at=now, cancelled_by=user.name))
        note(change, now, user.name, "reservation_cancelled", None, _described(series))
        return None

    refusal = await desk.change(write)
    if refusal is not None:
        raise Rejected(refusal)


def _series(asked: ReservationAsked, user: SignedIn, now: datetime) -> ReservationSeries:
    try:
        start, end = first_time(asked.start, asked.hours, asked.timezone)
        if start < now - UNUSED_AFTER or start > now + AHEAD:
            raise NotATime(f"It may start from now on, at most {AHEAD.days} days ahead. Choose another start.")
        if end <= now and asked.repeat is None:
            raise NotATime("It would be over already. Choose a later start or more hours.")
        return checked(
            ReservationSeries(
                id=secrets.token_hex(8),
                project=asked.project,
                flavour=asked.flavour,
                devices=asked.devices,
                node=asked.node,
                start=start,
                end=end,
                zone=asked.timezone,
                repeat=asked.repeat,
                until=None,
                title=asked.title,
                made_by=user.name,
                made_at=now,
            )
        )
    except NotATime as error:
        detail, _, remedy = str(error).partition(". ")
        raise Rejected(_impossible("not_a_time", f"{detail}.", f"{remedy.rstrip('.')}.")) from error
    except OverflowError as error:
        raise Rejected(_impossible("not_a_time", "No clock ever shows that time.", _CORRECT)) from error


def _check_there(asked: ReservationAsked, inventory: Inventory) -> None:
    """Refuse more than there is, and numbers that maintenance doesn't have."""
    if asked.project is None:
        if asked.flavour or asked.devices:
            _refuse("Maintenance closes a whole machine, so it names no GPUs.")
        return
    there = inventory.on_node(asked.node, asked.flavour) if asked.node else len(inventory.of_flavour(asked.flavour))
    if asked.devices > there:
        where = f"on {asked.node}" if asked.node else "in the pool"
        _refuse(f"There {'is' if there == 1 else 'are'} {count(there, 'GPU')} of {asked.flavour} {where}.")


def _weigh(desk: Desk, change: Transaction, times: tuple[Reservation, ...]) -> Consequences:
    try:
        return consequences(desk.world(change), times, desk.clock())
    except ValueError as error:
        said = str(error)
        raise Rejected(_impossible("not_reservable", f"{said[0].upper()}{said[1:]}.", _CORRECT)) from error


def _described(series: ReservationSeries) -> str:
    what = f"{series.devices} {series.flavour} for {series.project}" if series.project else "maintenance"
    where = f" on {series.node}" if series.node else ""
    often = f", {series.repeat}" if series.repeat else ""
    return f"{series.id}: {what}{where}, {series.start.isoformat()} to {series.end.isoformat()} ({series.zone}){often}"


def _refuse(detail: str) -> NoReturn:
    raise Rejected(_impossible("not_reservable", detail, _CORRECT))


def _impossible(reason: str, detail: str, remedy: str) -> Refusal:
    return Refusal(422, reason, "Not reserved", detail, remedy)


def _does_harm(found: Consequences, admin: bool) -> Refusal:
    wanted = numbers(found)
    remedy = "Choose another time or fewer GPUs, or ask an admin, who may accept it all the same."
    if admin:
        remedy = f"Choose another time, or send it again with confirm {wanted.model_dump_json()} to accept that."
    return Refusal(
        409, "does_harm", "Not reserved", f"{harm_in_words(found)}.", remedy, confirm=wanted if admin else None
    )


def _not_an_owner() -> Refusal:
    return Refusal(
        403,
        "not_an_owner",
        "Not yours to reserve",
        "Only a project's owners and the lab's admins reserve for it, and only admins close a machine.",
        "Ask one of them.",
    )


def no_such_reservation() -> Refusal:
    """There is none with this id."""
    return Refusal(
        404,
        "no_such_reservation",
        "No such reservation",
        "There is no reservation with this id; it was cancelled, or it is over.",
        "Those that you can see are listed at /services/pool/.",
    )
