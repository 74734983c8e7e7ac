"""Who used how many GPU-hours, as far as one may see it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from labpool.api_models import UsageRow, UsageView
from labpool.domain.calendar import Window, moment, month_of, months
from labpool.domain.ledger import UNITS
from labpool.hub_signin import Refusal, SignedIn
from labpool.service.access import ADMIN
from labpool.service.desk import Desk
from labpool.service.problems import Rejected
from labpool.store import Transaction
from labpool.store.usage import By, Seen, UsageSum

_MOST_DAYS = 3660


def window_asked(desk: Desk, first: str | None, last: str | None) -> Window:
    """From `first` until just before `last`, dates or times on the clocks of the pool's zone; else this month.

    Raises:
        Rejected: one of them is no time, or the first is not before the last.
    """
    zone, month = desk.catalogue.zone, month_of(desk.clock(), desk.catalogue.zone)
    try:
        start = moment(first, zone) if first is not None else month.start
        end = moment(last, zone) if last is not None else month.end
    except (ValueError, OverflowError) as error:
        raise Rejected(_refused("not_a_time", f"{error}.")) from error
    if start >= end:
        raise Rejected(_refused("not_a_window", f"{start.isoformat()} is not before {end.isoformat()}."))
    if (end - start).days > _MOST_DAYS:
        raise Rejected(_refused("not_a_window", f"That are more than {_MOST_DAYS} days."))
    return Window(start, end)


async def usage_of(desk: Desk, user: SignedIn, window: Window, by: By) -> UsageView:
    """The usage that `user` may see: their own, all of the projects they own, everybody's for an admin."""

    def read(view: Transaction) -> Mapping[str, UsageSum]:
        seen = _seen(desk, view, user)
        if by is By.MONTH:
            parts = months(window, desk.catalogue.zone)
            return {month: _total(view.usage(part, By.FLAVOUR, seen)) for month, part in parts}
        return view.usage(window, by, seen)

    sums = await desk.view(read)
    rows = tuple(_row(key, sums[key]) for key in sorted(sums))
    return UsageView(start=window.start, end=window.end, by=by.value, rows=rows)


def as_csv(view: UsageView) -> str:
    """One line for each row, after a line that names the columns."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow([view.by, "used_gpu_hours", "held_gpu_hours", "overrun_gpu_hours", "runs"])
    for row in view.rows:
        lines.writerow([row.key, f"{row.used:.6f}", f"{row.held:.6f}", f"{row.overrun:.6f}", row.runs])
    return text.getvalue()


def _seen(desk: Desk, view: Transaction, user: SignedIn) -> Seen:
    if user.has_scope(ADMIN):
        return Seen(all=True)
    if user.kind != "user":
        return Seen()
    projects = desk.catalogue.projects.values()
    owned = frozenset(each.name for each in projects if each.has_owner(user.name, user.groups))
    return Seen(view.known_pseudonym(user.name), owned)


def _total(sums: Mapping[str, UsageSum]) -> UsageSum:
    return sum(sums.values(), UsageSum())


def _row(key: str, found: UsageSum) -> UsageRow:
    hours = (found.used / UNITS, found.held / UNITS, found.overrun / UNITS)
    return UsageRow(key=key, used=hours[0], held=hours[1], overrun=hours[2], runs=found.runs)


def _refused(reason: str, detail: str) -> Refusal:
    remedy = "Write from and to like 2026-05-01 or 2026-05-01T08:00:00, the first before the last."
    return Refusal(422, reason, "No such time", detail, remedy)
