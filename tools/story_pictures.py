"""Pictures of the stories in docs/how-the-pool-decides.md, of what the real planner makes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from labpool.domain.taking_back import borrowed
from labpool.domain.tickets import State
from svg import WIDTH, box, diamond, dot, line, picture, text

from tests.domain.lab import HOUR, NINE
from tests.domain.stories import Story, play_into, settings_and_lines, world_of

LEFT, TOP, ROW, GAP, TICK = 66, 44, 34, 6, 22


@dataclass
class Stay:
    """Somebody's time on GPUs: what it was granted until, and when it was over."""

    who: str
    project: str
    devices: tuple[str, ...]
    starts: datetime
    granted_until: datetime
    over: datetime | None = None
    is_borrowed: bool = False


@dataclass
class Wait:
    """Somebody's time in line, with the promise if there was one."""

    who: str
    since: datetime
    promised: datetime | None = None
    over: datetime | None = None


@dataclass
class Watched(Story):
    """A story of which every stay and every wait is noted."""

    stays: list[Stay] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    def _look(self) -> None:
        super()._look()
        self._note_stays()
        self._note_waits()

    def _note_stays(self) -> None:
        held = {lease.ticket: lease for lease in self.world.leases}
        for stay in self.stays:
            if stay.over is None and (stay.who not in held or held[stay.who].starts != stay.starts):
                stay.over = self.now
        lent = {lease.ticket for lease in borrowed(self.world, self.world.leases, "gpu", self.now)}
        known = {stay.who: stay for stay in self.stays if stay.over is None}
        for who, lease in held.items():
            if who not in known:
                known[who] = Stay(who, lease.project, lease.devices, lease.starts, lease.ends)
                self.stays.append(known[who])
            known[who].is_borrowed |= who in lent

    def _note_waits(self) -> None:
        queued = {ticket.id: ticket for ticket in self.world.tickets if ticket.state is State.QUEUED}
        for wait in self.waits:
            if wait.over is None and wait.who not in queued:
                wait.over = self.now
        waiting = {wait.who: wait for wait in self.waits if wait.over is None}
        for who, ticket in queued.items():
            if who not in waiting:
                waiting[who] = Wait(who, self.now)
                self.waits.append(waiting[who])
            waiting[who].promised = waiting[who].promised or ticket.starts_by


def story_picture(story: str, title: str, told: str, until: float) -> str:
    """Draw a story from nine o'clock on, for so many hours."""
    settings, _ = settings_and_lines(story)
    watched = Watched(world_of(settings))
    play_into(watched, story)
    return _Chart(watched, until).drawn(title, told)


class _Chart:
    def __init__(self, story: Watched, hours: float) -> None:
        self._story, self._hours = story, hours
        self._gpus = [device.id for device in story.world.inventory.devices]
        self._line_top = TOP + len(self._gpus) * ROW + 30
        self._bottom = self._line_top + len(story.waits) * ROW

    def drawn(self, title: str, told: str) -> str:
        """The whole picture."""
        parts = [text(14, 20, title), *self._axis(), *self._names()]
        parts += [part for stay in self._story.stays for part in self._stay(stay)]
        parts += [part for row, wait in enumerate(self._story.waits) for part in self._wait(wait, row)]
        return picture(title, told, self._bottom + TICK + 34, [*parts, *self._legend()])

    def _x(self, at: datetime) -> float:
        return LEFT + min((at - NINE) / HOUR / self._hours, 1) * (WIDTH - LEFT - 14)

    def _axis(self) -> Iterator[str]:
        for hour in range(int(self._hours) + 1):
            at = NINE + hour * HOUR
            yield line(self._x(at), TOP - 8, self._x(at), self._bottom, "axis")
            if hour % (1 if self._hours < 8 else 2) == 0:
                yield text(self._x(at), self._bottom + TICK - 4, f"{at:%H}h".lstrip("0"), "faint mid")

    def _names(self) -> Iterator[str]:
        for row in range(len(self._gpus)):
            yield text(LEFT - 8, TOP + row * ROW + 19, f"GPU {row + 1}", "end")
        yield text(LEFT - 8, self._line_top - 8, "in line", "faint end")

    def _stay(self, stay: Stay) -> Iterator[str]:
        rows = sorted(self._gpus.index(device) for device in stay.devices)
        kind = "a" if stay.project == "vision" else "b"
        x, y, height = self._x(stay.starts), TOP + rows[0] * ROW, (rows[-1] - rows[0] + 1) * ROW - GAP
        over = self._x(stay.over or stay.granted_until)
        if stay.over and stay.over < stay.granted_until:
            yield line(over, y + height + GAP / 2, self._x(stay.granted_until), y + height + GAP / 2, f"{kind} open")
        yield box(x, y, over - x - 1, height, f"{kind} lent" if stay.is_borrowed else kind)
        yield text(x + 6, y + height / 2 + 5, stay.who.capitalize(), "" if stay.is_borrowed else "inside")

    def _wait(self, wait: Wait, row: int) -> Iterator[str]:
        y = self._line_top + row * ROW + 14
        since, over = self._x(wait.since), self._x(wait.over or NINE + timedelta(hours=self._hours))
        yield text(LEFT - 8, y + 5, wait.who.capitalize(), "end")
        yield line(since, y, over, y, "wait")
        yield dot(since, y)
        if wait.over:
            yield line(over, y - 7, over, y + 7, "start")
        if wait.promised:
            x = self._x(wait.promised)
            on_the_left = x > WIDTH - 90
            yield diamond(x, y)
            yield text(x + (-10 if on_the_left else 10), y + 5, f"{wait.promised:%H:%M}", "end" if on_the_left else "")

    def _legend(self) -> Iterator[str]:
        x, y = 14.0, self._bottom + TICK + 18
        for words, sign in self._signs():
            yield from sign(x, y - 5)
            yield text(x + 24, y, words, "faint")
            x += 38 + 6.5 * len(words)

    def _signs(self) -> Iterator[tuple[str, Callable[[float, float], list[str]]]]:
        stays = self._story.stays
        yield "asks", lambda x, y: [dot(x + 12, y)]
        yield "starts", lambda x, y: [line(x + 12, y - 7, x + 12, y + 7, "start")]
        yield "promised", lambda x, y: [diamond(x + 12, y)]
        if any(stay.over and stay.over < stay.granted_until for stay in stays):
            yield "not used", lambda x, y: [line(x, y, x + 20, y, "a open")]
        if any(stay.is_borrowed for stay in stays):
            yield "borrowed", lambda x, y: [box(x, y - 7, 20, 14, "a lent")]
