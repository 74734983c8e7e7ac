"""Who used how many GPU-hours, as far as one may see it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from labpool.api_models import UsageRow, UsageView
from labpool.domain.calendar import Window, by_term, moment, month_of, months, term_of
from labpool.domain.ledger import UNITS
from labpool.hub_signin import Refusal, SignedIn
from labpool.service.access import ADMIN
from labpool.service.desk import Desk
from labpool.service.problems import Rejected
from labpool.store import Transaction
from labpool.store.usage import By, Seen, UsageSum

_MOST_DAYS = 3660


def window_asked(desk: Desk, first: str | None, last: str | None, by: By) -> Window:
    """From `first` until just before `last`, dates or times on the clocks of the pool's zone; else this month.

    By term it is this term instead, where it is one.

    Raises:
        Rejected: one of them is no time, the first is not before the last, or by term where none are named.
    """
    zone, terms, now = desk.catalogue.zone, desk.catalogue.terms, desk.clock()
    if by is By.TERM and not terms:
        raise Rejected(_no_terms())
    usual = (term_of(now, terms, zone) if by is By.TERM else None) or month_of(now, zone)
    try:
        start = moment(first, zone) if first is not None else usual.start
        end = moment(last, zone) if last is not None else usual.end
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
        if by not in (By.MONTH, By.TERM):
            return dict(sorted(view.usage(window, by, seen).items()))
        sums: dict[str, UsageSum] = {}
        for name, part in _parts(desk, window, by):
            sums[name] = sums.get(name, UsageSum()) + _total(view.usage(part, By.FLAVOUR, seen))
        return sums

    sums = await desk.view(read)
    rows = tuple(_row(key, found) for key, found in sums.items())
    return UsageView(start=window.start, end=window.end, by=by.value, rows=rows)


def as_csv(view: UsageView) -> str:
    """One line for each row, after a line that names the columns."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow([view.by, "used_gpu_hours", "held_gpu_hours", "overrun_gpu_hours", "runs"])
    for row in view.rows:
        lines.writerow([row.key, f"{row.used:.6f}", f"{row.held:.6f}", f"{row.overrun:.6f}", row.runs])
    return text.getvalue()


def _parts(desk: Desk, window: Window, by: By) -> Iterator[tuple[str, Window]]:
    """The months or terms of a window, by time."""
    catalogue = desk.catalogue
    return months(window, catalogue.zone) if by is By.MONTH else by_term(window, catalogue.terms, catalogue.zone)


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


def _no_terms() -> Refusal:
    return Refusal(
        422,
        "no_terms",
        "No terms here",
        "pool.yaml names no terms, so nothing can be summed up by them.",
        "Choose by=month with from and to, or have an admin add terms to pool.yaml.",
    )


def _refused(reason: str, detail: str) -> Refusal:
    remedy = "Write from and to like 2026-05-01 or 2026-05-01T08:00:00, the first before the last."
    return Refusal(422, reason, "No such time", detail, remedy)
