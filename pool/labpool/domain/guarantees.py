"""What is kept for its owners while they don't use it: devices that a project does not lend, and reserved ones.

Of a thing (the devices of a flavour, or those of one node) so much counts as taken by each owner at least, used or not.
Everybody else finds room below what is there only beside that; an owner finds free what is kept for itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime
from typing import NamedTuple

from labpool.domain.needs import Key, flavour_key, node_key
from labpool.domain.timeline import Span, Timeline
from labpool.domain.world import World

Owner = tuple[str, str]
"""A project, and the node on which some is reserved for it; without one what is its own wherever it is."""
Owners = Mapping[Key, Mapping[Owner, int]]
"""Of each thing the owners, with what each never lends."""
Tracks = MutableMapping[Key, Timeline]


class Share(NamedTuple):
    """What a booking takes of a thing: its `owner` has `used` or `reserved` so much, or others have `taken` it.

    What an owner uses counts as what is reserved for it first.
    """

    thing: Key
    owner: Owner | None = None
    used: int = 0
    reserved: int = 0
    taken: int = 0

    def times(self, sign: int) -> Share:
        """The same, given back where `sign` is negative."""
        return Share(self.thing, self.owner, sign * self.used, sign * self.reserved, sign * self.taken)


def owners_of(world: World) -> Owners:
    """Owners of everything of which anything is kept."""
    owners: defaultdict[Key, dict[Owner, int]] = defaultdict(dict)
    for flavour, kept in _never_lent(world).items():
        owners[flavour_key(flavour)].update({(project, ""): devices for project, devices in kept.items()})
    reservations = [each for each in world.reservations if each.project]
    for each in sorted(reservations, key=lambda each: each.node != ""):
        if each.node:
            owners[node_key(each.node, each.flavour)][each.project, ""] = 0
        if not each.node or flavour_key(each.flavour) in owners:  # else nobody else gets on the node: no need to count
            owners[flavour_key(each.flavour)].setdefault((each.project, each.node), 0)
    return owners


def _never_lent(world: World) -> dict[str, dict[str, int]]:
    """Of each flavour what projects don't lend. Where that is more than there is, the largest parts are cut."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for project in world.catalogue.projects.values():
        for flavour in project.nominal:
            if kept := project.never_lent(flavour):
                found[flavour][project.name] = kept
    for flavour, kept_by in found.items():
        missing = sum(kept_by.values()) - sum(map(len, world.usable_devices(flavour).values()))
        for _ in range(missing):
            kept_by[max(kept_by, key=kept_by.__getitem__)] -= 1
    return found


class Guarantees:
    """Keeps, beside the plain timelines, those of what is taken or kept: of each thing as each owner sees it."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    def start(self, tracks: Tracks) -> None:
        """Add the timelines of all things, as they are when nobody uses any."""
        for thing, owners in self._owners.items():
            tracks[_total(thing)] = Timeline.always(self.never_lent(thing))
            for owner, own in owners.items():
                tracks[_seen(thing, owner)] = Timeline.always(self.never_lent(thing) - own)
                tracks[_used(thing, owner)], tracks[_reserved(thing, owner)] = Timeline(), Timeline()

    def shares(self, project: str, node: str, amounts: Iterable[tuple[Key, int]]) -> tuple[Share, ...]:
        """What a project's booking of `amounts`, on a node, takes of things of which anything is kept."""
        kept = ((thing, amount, self.owner(project, node, thing)) for thing, amount in amounts if thing in self._owners)
        return tuple(
            Share(thing, owner, used=amount) if owner else Share(thing, taken=amount) for thing, amount, owner in kept
        )

    def seen_by(self, project: str, node: str, thing: Key, tracks: Tracks) -> Timeline | None:
        """What a project finds taken of a thing, if it were on a node; None where nothing of it is kept."""
        if thing not in self._owners:
            return None
        owner = self.owner(project, node, thing)
        return tracks[_seen(thing, owner) if owner else _total(thing)]

    def owner(self, project: str, node: str, thing: Key) -> Owner | None:
        """As whom a project takes some of a thing on a node; None where it owns nothing of it there."""
        return next((owner for owner in ((project, node), (project, "")) if owner in self._owners[thing]), None)

    def differs_by_node(self, project: str, thing: Key) -> bool:
        """Whether it matters to what is kept of a thing on which node a project takes it."""
        return any(owner == project and node for owner, node in self._owners.get(thing, ()))

    def never_lent(self, thing: Key) -> int:
        """How much of it is taken or kept at any time."""
        return sum(self._owners[thing].values())

    def has(self, thing: Key) -> bool:
        """Whether anything of it is kept."""
        return thing in self._owners

    def totals(self) -> list[tuple[Key, Key]]:
        """All things, each with the name of the timeline of what is taken or kept of it."""
        return [(thing, _total(thing)) for thing in self._owners]

    def take(self, tracks: Tracks, share: Share, start: datetime, end: datetime) -> None:
        """Take `share` from `start` to `end`."""
        owners = self._owners[share.thing]
        everywhere = [tracks[_total(share.thing)], *(tracks[_seen(share.thing, owner)] for owner in owners)]
        if share.taken:
            for track in everywhere:
                track.take(start, end, share.taken)
        if not share.owner:
            return
        own, used = tracks[_seen(share.thing, share.owner)], tracks[_used(share.thing, share.owner)]
        reserved = tracks[_reserved(share.thing, share.owner)]
        for since, until, more in _more(owners[share.owner], share, _side_by_side(used, reserved, start, end)):
            for track in everywhere:
                if track is not own:
                    track.take(since, until, more)
        own.take(start, end, share.used)
        used.take(start, end, share.used)
        reserved.take(start, end, share.reserved)

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
        own_view: dict[Owner, list[Span]] = {}
        for owner in {share.owner for share, _, _ in shares if share.owner}:
            own = self._owners[thing][owner]
            used, reserved = tracks[_used(thing, owner)], tracks[_reserved(thing, owner)]
            before = list(_beyond(own, used, reserved))
            used_before = used.spans()
            mine = [each for each in shares if each[0].owner == owner]
            used.take_all((start, end, share.used) for share, start, end in mine if share.used)
            reserved.take_all((start, end, share.reserved) for share, start, end in mine if share.reserved)
            changes = [*_beyond(own, used, reserved), *_less(before)]
            everywhere += changes
            own_view[owner] = [*used.spans(), *_less(used_before), *_less(changes)]
        tracks[_total(thing)].take_all(everywhere)
        for owner in self._owners[thing]:
            tracks[_seen(thing, owner)].take_all([*everywhere, *own_view.get(owner, ())])


def _side_by_side(
    used: Timeline, reserved: Timeline, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime, int, int]]:
    """Steps from `start` to `end` with what is taken on both."""
    for since, until, amount in used.steps(start, end):
        for since_too, until_too, other in reserved.steps(since, until):
            yield since_too, until_too, amount, other


def _more(never_lent: int, share: Share, steps: Iterable[tuple[datetime, datetime, int, int]]) -> list[Span]:
    """By how much `share` changes what counts as taken by its owner, on top of `steps`."""
    found: list[Span] = []
    for since, until, used, reserved in steps:
        before = max(used, never_lent + reserved)
        more = max(used + share.used, never_lent + reserved + share.reserved) - before
        if found and found[-1][2] == more:
            found[-1] = (found[-1][0], until, more)
        else:
            found.append((since, until, more))
    return [span for span in found if span[2]]


def _beyond(never_lent: int, used: Timeline, reserved: Timeline) -> Iterator[Span]:
    """What counts as taken by an owner at all times, beyond what it never lends."""
    spans = [*used.spans(), *reserved.spans()]
    if not spans:
        return
    start, end = min(span[0] for span in spans), max(span[1] for span in spans)
    for since, until, amount, kept in _side_by_side(used, reserved, start, end):
        yield since, until, max(amount, never_lent + kept) - never_lent


def _less(spans: Iterable[Span]) -> list[Span]:
    return [(start, end, -amount) for start, end, amount in spans]


def _total(thing: Key) -> Key:
    return ("kept", *thing)


def _seen(thing: Key, owner: Owner) -> Key:
    return ("seen", *thing, *owner)


def _used(thing: Key, owner: Owner) -> Key:
    return ("used", *thing, *owner)


def _reserved(thing: Key, owner: Owner) -> Key:
    return ("reserved", *thing, *owner)
