"""Words of the pages that the templates can't form themselves."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

from labpool.api_models import TicketView
from labpool.domain.catalogue import Catalogue
from labpool.domain.usage import HOUR
from labpool.service.spoken_times import spoken_times

_ROUND_HOURS = (0.5, 1, 2, 4, 8, 16)


def with_times(sentence: str, now: datetime) -> Markup:
    """The pool's sentence as HTML, each time in it marked so that the page can show it in the reader's own zone.

    Args:
        sentence: Plain text; its times are as `labpool.domain.words.clock` writes them in UTC.
        now: When the sentence was made: a time without a day is of this one.
    """
    parts, end = [], 0
    for said in spoken_times(sentence, now):
        time = Markup('<time datetime="{}">{}</time>').format(said.moment.isoformat(), sentence[said.start : said.end])
        parts += [escape(sentence[end : said.start]), time]
        end = said.end
    return Markup("").join([*parts, escape(sentence[end:])])


REPEATS = {
    "FREQ=DAILY": "every day",
    "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR": "Monday to Friday",
    "FREQ=WEEKLY": "every week",
    "FREQ=WEEKLY;INTERVAL=2": "every second week",
}
"""Rules that have words of their own, in the order in which the page offers them."""


def often(repeat: str | None) -> str:
    """How often a reservation is, in words; its rule itself where there are none. When it ends is said apart."""
    if repeat is None:
        return "once"
    rule = ";".join(part for part in repeat.split(";") if not part.startswith(("UNTIL=", "COUNT=")))
    return REPEATS.get(rule, f"by the rule {rule}")


def form_path(ticket: TicketView) -> str:
    """Path of the spawn form of the ticket's server."""
    name = f"/{quote(ticket.name, safe='')}" if ticket.name else ""
    return f"/hub/spawn/{quote(ticket.user, safe='')}{name}"


def start_again_path(ticket: TicketView, catalogue: Catalogue) -> str:
    """Path that starts the ticket's server with what the ticket asked for; its lease ends as it would."""
    profile = catalogue.profiles.get(ticket.profile)
    hours = min(ticket.hours, profile.longest / HOUR) if profile else ticket.hours  # extended, it may be more
    return _start_path(ticket, ticket.profile, {"opt-hours": f"{hours:g}"})


class Extension(NamedTuple):
    """By how many hours a lease may be extended, and the end that comes of it."""

    hours: float
    until: datetime


def extensions(ticket: TicketView) -> list[Extension]:
    """What a running ticket's page offers: some round numbers, and the most."""
    if ticket.lease is None or ticket.extendable_until is None:
        return []
    ends = ticket.lease.ends
    most = (ticket.extendable_until - ends) / HOUR
    return [Extension(hours, ends + hours * HOUR) for hours in (*(h for h in _ROUND_HOURS if h < most), most)]


def cpu_start_path(ticket: TicketView, catalogue: Catalogue) -> str:
    """Path that starts the ticket's server without GPUs for the time being.

    With the first CPU profile of the ticket's project; where that has none, the path of the spawn form.
    """
    project = catalogue.projects.get(ticket.project)
    offered = [catalogue.profiles[name] for name in project.profiles] if project else []
    cpu = next((profile.name for profile in offered if profile.flavour is None), None)
    return _start_path(ticket, cpu, {}) if cpu else form_path(ticket)


def _start_path(ticket: TicketView, profile: str, more: dict[str, str]) -> str:
    return f"{form_path(ticket)}?{urlencode({'opt-project': ticket.project, 'opt-profile': profile, **more})}"
