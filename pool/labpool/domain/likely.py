"""When tickets will likely start: the queue played forward several times with the run lengths that were observed.

An estimate, and no promise. Smith, Taylor and Foster, "Using run-time predictions to estimate queue wait times",
JSSPP 1999.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from random import Random

from labpool.domain.forecast import Forecast, ForecastOfQueues, Scene
from labpool.domain.run_lengths import RunLengths
from labpool.domain.taking_back import borrowed
from labpool.domain.timeline import FOREVER
from labpool.domain.world import World

_TIMES = 9
"""How often the queue is played, each time with other lengths; the median is told."""


def likely_starts(world: World, lengths: RunLengths, flavour: str, now: datetime, seed: int = 0) -> dict[str, datetime]:
    """When the tickets in line for a flavour likely start; who would start too far ahead to tell is left out.

    No estimate is later than a place that a ticket holds, nor than what is borrowed could be taken back for it. Where
    an engine decides that has a queue of its own, its order counts. Another `seed` draws other lengths.
    """
    scene = Scene(world, lengths, flavour, now)
    forecast = Forecast if world.verdicts is None else ForecastOfQueues
    chances = [Random(seed * _TIMES + number) for number in range(_TIMES)]  # noqa: S311 (no secret)
    played = [forecast(scene, chance).play() for chance in chances]
    found = {ticket.id: _median([each.get(ticket.id, FOREVER) for each in played]) for ticket in world.line()}
    found = {name: at for name, at in found.items() if at < FOREVER}
    for ticket, latest in _latest(world, flavour, now):
        if found.get(ticket, latest) >= latest:
            found[ticket] = latest
    return found


def _latest(world: World, flavour: str, now: datetime) -> Iterator[tuple[str, datetime]]:
    """Until when tickets with a place start at the latest: by their place, or by what is taken back for them."""
    rules, slots = world.catalogue.queue, {slot.ticket: slot.start for slot in world.slots}
    lent = sum(len(lease.devices) for lease in borrowed(world, world.counted, flavour, now))
    for ticket in world.line():
        if ticket.flavour != flavour or ticket.id not in slots:
            continue
        own = world.own(ticket.project, flavour, now)
        held = sum(len(x.devices) for x in world.counted if (x.project, x.flavour) == (ticket.project, flavour))
        latest = slots[ticket.id]
        if held + ticket.gpus <= own and ticket.gpus <= lent:
            asks_at = max(ticket.in_line_since + rules.wait_before_taking, now)
            latest = min(latest, asks_at + rules.grace + rules.turnover)
        yield ticket.id, latest


def _median(times: list[datetime]) -> datetime:
    return sorted(times)[len(times) // 2]
