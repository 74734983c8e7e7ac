"""What people see of reservations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from labpool.api_models import OccurrenceView, ReservationView
from labpool.domain.catalogue import Flavour, Project
from labpool.domain.reservations import Reservation
from labpool.hub_signin import SignedIn
from labpool.service.access import ADMIN
from labpool.service.desk import Desk
from labpool.service.page_words import REPEATS
from labpool.service.problems import Rejected
from labpool.service.reserving import may_reserve, no_such_reservation
from labpool.store import ReservationSeries, Transaction


async def reservations_of(desk: Desk, user: SignedIn) -> list[ReservationView]:
    """Reservations of the user's own projects, and maintenance; all for an admin. By when they are next."""

    def read(view: Transaction) -> list[ReservationView]:
        series, turnover = view.reservations(), desk.catalogue.queue.turnover
        times = desk.occurrences.all_of(series, desk.clock(), turnover)
        return [_view(desk, each, times[each.id], user) for each in series if each.id in times]

    found = await desk.view(read)
    seen = (view for view in found if _may_see(desk, view, user))
    return sorted(seen, key=lambda view: view.occurrences[0].start)


class ReserveForm(NamedTuple):
    """What the page's form for reservations offers."""

    projects: tuple[Project, ...]
    maintenance: bool
    flavours: tuple[Flavour, ...]
    nodes: tuple[str, ...]
    repeats: tuple[tuple[str, str], ...]


def reserve_form(desk: Desk, user: SignedIn) -> ReserveForm | None:
    """The form for whoever may reserve; None for others."""
    inventory, catalogue, _ = desk.setting
    projects = tuple(each for each in catalogue.projects.values() if may_reserve(user, each.name, catalogue))
    maintenance = may_reserve(user, None, catalogue)
    if not (projects or maintenance):
        return None
    flavours = tuple(each for each in catalogue.flavours.values() if inventory.of_flavour(each.name))
    nodes = tuple(dict.fromkeys(device.node for device in inventory.devices))
    repeats = tuple((rule, f"{words[0].upper()}{words[1:]}") for rule, words in REPEATS.items())
    return ReserveForm(projects, maintenance, flavours, nodes, repeats)


async def reservation_of(desk: Desk, reservation: str, user: SignedIn) -> ReservationView:
    """One of those.

    Raises:
        Rejected: it is not among them (any more).
    """
    found = next((each for each in await reservations_of(desk, user) if each.id == reservation), None)
    if found is None:
        raise Rejected(no_such_reservation())
    return found


def _may_see(desk: Desk, reservation: ReservationView, user: SignedIn) -> bool:
    if reservation.project is None or user.has_scope(ADMIN):
        return True
    own = desk.catalogue.projects_of(user.name, user.groups) if user.kind == "user" else ()
    return any(project.name == reservation.project for project in own)


def _view(desk: Desk, series: ReservationSeries, times: Sequence[Reservation], user: SignedIn) -> ReservationView:
    project = desk.catalogue.projects.get(series.project or "")
    flavour = desk.catalogue.flavours.get(series.flavour)
    return ReservationView(
        id=series.id,
        project=series.project,
        project_title=project.title if project else series.project or "",
        flavour=series.flavour,
        flavour_title=flavour.title if flavour else series.flavour,
        devices=series.devices,
        node=series.node,
        title=series.title,
        timezone=series.zone,
        repeat=series.repeat,
        until=series.until,
        occurrences=tuple(
            OccurrenceView(id=each.id, start=each.start, end=each.end, devices=each.devices) for each in times
        ),
        may_cancel=may_reserve(user, series.project, desk.catalogue),
    )
