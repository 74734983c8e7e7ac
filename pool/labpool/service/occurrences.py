"""Reservations as the planner is shown them: each time of each, without what nobody used of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from labpool.domain.reservations import UNUSED_AFTER, Reservation, without_unused
from labpool.domain.reserving import used_of
from labpool.domain.world import World
from labpool.service.recurrence import AHEAD, occurrences
from labpool.service.trail import note
from labpool.store import Part, ReservationSeries, Transaction

_DAY = timedelta(days=1)
_NEVER = datetime.max.replace(tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class _Shown:
    """Occurrences of some reservations, good from `since` until `until`, when one is over or another day begins.

    `planned` are those that keep something: without those of which all was given back.
    """

    series: Sequence[ReservationSeries] = ()
    all: tuple[Reservation, ...] = ()
    planned: tuple[Reservation, ...] = ()
    since: datetime = _NEVER
    until: datetime = _NEVER

    def good_for(self, series: Sequence[ReservationSeries], now: datetime) -> bool:
        return self.since <= now < self.until and (series is self.series or series == self.series)


class Occurrences:
    """The occurrences of the next 90 days, safe between threads.

    They are one and the same tuple for as long as nothing changes, so that the planner need not begin anew. What was
    given back unused stays given back until the pool is started again; then it is worked out once more.
    """

    def __init__(self) -> None:
        self._shown = _Shown()
        self._kept: dict[str, int] = {}
        self._one_at_a_time = threading.Lock()

    def of(self, series: Sequence[ReservationSeries], now: datetime, turnover: timedelta) -> tuple[Reservation, ...]:
        """Those that are on or to come, each until `turnover` after its end, in order of their start."""
        return self._looked_at(series, now, turnover).planned

    def all_of(
        self, series: Sequence[ReservationSeries], now: datetime, turnover: timedelta
    ) -> dict[str, list[Reservation]]:
        """The same by their reservation's id, until their end, and with those of which all was given back."""
        found: dict[str, list[Reservation]] = {}
        for each in self._looked_at(series, now, turnover).all:
            if now < each.end:
                found.setdefault(each.id.partition("@")[0], []).append(each)
        return found

    def release_unused(self, change: Transaction, world: World, now: datetime) -> World:
        """The world without what nobody used of the reservations that began a quarter of an hour ago."""
        over_due = [
            each
            for each in world.reservations
            if each.project and each.id not in self._kept and each.start + UNUSED_AFTER <= now < each.end
        ]
        if not over_due:
            return world
        with self._one_at_a_time:
            self._kept |= {each.id: without_unused(each, used_of(world, each), now).devices for each in over_due}
            self._shown = _Shown()
        for each in over_due:
            if unused := each.devices - self._kept[each.id]:
                detail = f"{each.id}: {unused} of {each.devices} {each.flavour} of {each.project} were not used"
                note(change, now, Part.POOL, "reservation_released", None, detail)
        shown = self.of(change.reservations(), now, world.catalogue.queue.turnover)
        return replace(world, reservations=shown)

    def look_by(self, looks_at: datetime | None, now: datetime) -> datetime | None:
        """When the pool has to decide next: at `looks_at`, or sooner where something unused is to be given back."""
        releases = (each.start + UNUSED_AFTER for each in self._shown.planned if each.project)
        moments = [next((moment for moment in releases if moment > now), None), looks_at]
        return min((moment for moment in moments if moment is not None), default=None)

    def _looked_at(self, series: Sequence[ReservationSeries], now: datetime, turnover: timedelta) -> _Shown:
        with self._one_at_a_time:
            if not self._shown.good_for(series, now):
                self._shown = self._look(series, now, turnover)
            return self._shown

    def _look(self, series: Sequence[ReservationSeries], now: datetime, turnover: timedelta) -> _Shown:
        today = now.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        found = [
            occurrence
            for each in series
            if each.until is None or each.until + turnover > now
            for occurrence in occurrences(each, now - turnover, today + _DAY + AHEAD)
        ]
        self._kept = {each.id: self._kept[each.id] for each in found if each.id in self._kept}
        kept = (replace(each, devices=self._kept.get(each.id, each.devices)) for each in found)
        ordered = tuple(sorted(kept, key=lambda each: each.start))
        planned = tuple(each for each in ordered if each.devices or not each.project)
        return _Shown(series, ordered, planned, now, min([today + _DAY, *(each.end + turnover for each in ordered)]))
