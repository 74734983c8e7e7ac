"""What is kept for its owners while they don't use it: devices that a project does not lend, and reserved ones.

Of a thing (the devices of a flavour, or those of one node) each owner has a floor: so much counts as taken by it at
least, used or not. Everybody else finds room below what is there only beside that; an owner finds its own floor free.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import datetime
from typing import NamedTuple

from labpool.domain.needs import Key, flavour_key, node_key
from labpool.domain.timeline import Span, Timeline
from labpool.domain.world import World

Floors = Mapping[Key, Mapping[str, int]]
"""Of each thing the owners with what is theirs in any case."""
Tracks = MutableMapping[Key, Timeline]


class Share(NamedTuple):
    """What a booking takes of a thing: `used` by one of its owners, if any, and `taken` whoever takes it.

    A reservation takes so much from everybody and gives it to its owner: it is `taken`, and negative in `used`.
    """

    thing: Key
    owner: str
    used: int
    taken: int

    def times(self, sign: int) -> Share:
        """The same, given back where `sign` is negative."""
        return Share(self.thing, self.owner, sign * self.used, sign * self.taken)


def floors_of(world: World) -> Floors:
    """Owners of everything of which anything is kept. Of devices that are out of order nothing can be kept."""
    floors: defaultdict[Key, dict[str, int]] = defaultdict(dict)
    for project in world.catalogue.projects.values():
        for flavour in project.nominal:
            if kept := project.never_lent(flavour):
                floors[flavour_key(flavour)][project.name] = kept
    for (_, flavour), owners in floors.items():
        missing = sum(owners.values()) - sum(map(len, world.usable_devices(flavour).values()))
        for _ in range(missing):
            owners[max(owners, key=owners.__getitem__)] -= 1
    for reservation in (each for each in world.reservations if each.project):
        if reservation.node:
            floors[node_key(reservation.node, reservation.flavour)].setdefault(reservation.project, 0)
        else:
            floors[flavour_key(reservation.flavour)].setdefault(reservation.project, 0)
    for reservation in (each for each in world.reservations if each.node and each.project):
        if flavour_key(reservation.flavour) in floors:  # else it needs no counting: nobody else gets on its node
            floors[flavour_key(reservation.flavour)].setdefault(reservation.project, 0)
    return floors


class Guarantees:
    """Keeps, beside the plain timelines, those of what is taken or kept: of each thing as each owner sees it."""

    def __init__(self, floors: Floors) -> None:
        self._floors = floors

    def start(self, tracks: Tracks) -> None:
        """Add the timelines of all things, as they are when nobody uses any."""
        for thing, owners in self._floors.items():
            kept = sum(owners.values())
            tracks[_total(thing)] = Timeline.always(kept)
            for owner, floor in owners.items():
                tracks[_seen(thing, owner)] = Timeline.always(kept - floor)
                tracks[_used(thing, owner)] = Timeline()

    def shares(self, project: str, amounts: Iterable[tuple[Key, int]]) -> tuple[Share, ...]:
        """What a project's booking of `amounts` takes of things of which anything is kept."""
        kept = ((thing, amount) for thing, amount in amounts if thing in self._floors)
        return tuple(
            Share(thing, project, amount, 0) if project in self._floors[thing] else Share(thing, "", 0, amount)
            for thing, amount in kept
        )

    def seen_by(self, project: str, thing: Key, tracks: Tracks) -> Timeline | None:
        """What a project finds taken of a thing; None where nothing of it is kept."""
        if thing not in self._floors:
            return None
        return tracks[_seen(thing, project) if project in self._floors[thing] else _total(thing)]

    def floor(self, thing: Key) -> int:
        """How much of it is always taken or kept."""
        return sum(self._floors[thing].values())

    def has(self, thing: Key) -> bool:
        """Whether anything of it is kept."""
        return thing in self._floors

    def totals(self) -> list[tuple[Key, Key]]:
        """All things, each with the name of the timeline of what is taken or kept of it."""
        return [(thing, _total(thing)) for thing in self._floors]

    def take(self, tracks: Tracks, share: Share, start: datetime, end: datetime) -> None:
        """Take `share` from `start` to `end`."""
        owners = self._floors[share.thing]
        everywhere = [tracks[_total(share.thing)], *(tracks[_seen(share.thing, owner)] for owner in owners)]
        if share.taken:
            for track in everywhere:
                track.take(start, end, share.taken)
        if not share.used:
            return
        own, used = tracks[_seen(share.thing, share.owner)], tracks[_used(share.thing, share.owner)]
        for since, until, more in _beyond(owners[share.owner], share.used, used.steps(start, end)):
            for track in everywhere:
                if track is not own:
                    track.take(since, until, more)
        own.take(start, end, share.used)
        used.take(start, end, share.used)

    def take_all(self, tracks: Tracks, shares: Iterable[tuple[Share, datetime, datetime]]) -> set[Key]:
        """Take many at once, which is cheaper together; gives the names of the totals that have changed."""
        by_thing: defaultdict[Key, list[tuple[Share, datetime, datetime]]] = defaultdict(list)
        for each in shares:
            by_thing[each[0].thing].append(each)
        for thing, taken in by_thing.items():
            self._take_all_of(tracks, thing, taken)
        return {_total(thing) for thing in by_thing}

    def _take_all_of(self, tracks: Tracks, thing: Key, shares: list[tuple[Share, datetime, datetime]]) -> None:
        everywhere: list[Span] = [(start, end, share.taken) for share, start, end in shares if share.taken]
        used: defaultdict[str, list[Span]] = defaultdict(list)
        for share, start, end in shares:
            if share.used:
                used[share.owner].append((start, end, share.used))
        below: dict[str, list[Span]] = {}
        for owner, spans in used.items():
            track, floor = tracks[_used(thing, owner)], self._floors[thing][owner]
            before = track.spans()
            track.take_all(spans)
            after = track.spans()
            everywhere += [(start, end, max(amount - floor, 0)) for start, end, amount in after]
            everywhere += [(start, end, -max(amount - floor, 0)) for start, end, amount in before]
            below[owner] = [(start, end, min(amount, floor)) for start, end, amount in after]
            below[owner] += [(start, end, -min(amount, floor)) for start, end, amount in before]
        tracks[_total(thing)].take_all(everywhere)
        for owner in self._floors[thing]:
            tracks[_seen(thing, owner)].take_all([*everywhere, *below.get(owner, ())])


def _beyond(floor: int, amount: int, steps: Iterable[Span]) -> list[Span]:
    """By how much `amount` more of an owner's use changes what counts as taken by it, on top of `steps`."""
    found: list[Span] = []
    for since, until, before in steps:
        more = max(before + amount, floor) - max(before, floor)
        if found and found[-1][2] == more:
            found[-1] = (found[-1][0], until, more)
        else:
            found.append((since, until, more))
    return [span for span in found if span[2]]


def _total(thing: Key) -> Key:
    return ("kept", *thing)


def _seen(thing: Key, owner: str) -> Key:
    return ("seen", *thing, owner)


def _used(thing: Key, owner: str) -> Key:
    return ("used", *thing, owner)
