"""What is booked of everything that is counted, over time.

Each booked span has a margin behind it. Bookings have a rank, and there is a layer of timelines for each rank: it holds
what is of that rank or of a stronger (lower) one. Beside what is taken it holds what is kept (`guarantees`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from labpool.domain.budgets import Account, Accounts, Cost
from labpool.domain.guarantees import Guarantees, Owners, Share
from labpool.domain.needs import Amount, Key
from labpool.domain.timeline import FOREVER, Span, Timeline

Name = tuple[str, str]
"""("lease", "slot", "fallback" or "fallback beyond", ticket), ("reservation", id)."""


class Booking(NamedTuple):
    """So much of each thing from `start` to `end`, the margin not included."""

    start: datetime
    end: datetime
    amounts: tuple[Amount, ...]
    rank: int = 0
    shares: tuple[Share, ...] = ()
    costs: tuple[Cost, ...] = ()


class Layer(dict[Key, Timeline]):
    """The timelines of one rank; one that nobody has booked yet is empty. And what is `booked` of each budget."""

    def __init__(self) -> None:
        super().__init__()
        self.booked: Counter[Account] = Counter()

    def copy(self) -> Layer:
        """One that may be changed apart from this one."""
        other = Layer()
        other.update((key, track.copy()) for key, track in self.items())
        other.booked.update(self.booked)
        return other

    def __missing__(self, key: Key) -> Timeline:
        track = self[key] = Timeline()
        return track


class Bookings:
    """All bookings by name. `now` may be set to a later time; what lies before it is forgotten by and by.

    `changes` counts what was added or taken back.
    """

    def __init__(self, now: datetime, margin: timedelta, owners: Owners, accounts: Accounts) -> None:
        self.now = now
        self.guarantees = Guarantees(owners)
        self.accounts = accounts
        self.margin = margin
        self._bookings: dict[Name, Booking] = {}
        self._layers = [Layer()]
        self.changes = 0
        self.guarantees.start(self._layers[0])

    def __getitem__(self, name: Name) -> Booking:
        return self._bookings[name]

    def __contains__(self, name: Name) -> bool:
        return name in self._bookings

    def put(self, name: Name, booking: Booking) -> None:
        """Add a booking, in place of one of the same name."""
        self.changes += 1
        if name in self._bookings:
            self._take(self._bookings[name], -1)
        self._bookings[name] = booking
        self._take(booking, 1)

    def put_all(self, bookings: Mapping[Name, Booking]) -> None:
        """Add many new ones, which is cheaper together."""
        self.changes += 1
        self._bookings.update(bookings)
        by_rank: defaultdict[int, list[Booking]] = defaultdict(list)
        for booking in bookings.values():
            by_rank[booking.rank].append(booking)
        for rank in sorted(by_rank):
            for layer in self._layers_from(rank):
                self._take_all(layer, by_rank[rank])

    def drop(self, name: Name) -> None:
        """Take a booking back."""
        self.changes += 1
        self._take(self._bookings.pop(name), -1)

    def layer(self, rank: int | None = None) -> Layer:
        """The timelines as if weaker ranks than `rank` had booked nothing; without it, all that is booked."""
        return self._layers[-1 if rank is None else min(rank, len(self._layers) - 1)]

    def weaker_than(self, rank: int) -> list[str]:
        """Tickets with a booking of a weaker rank, the weakest and the latest first."""
        found = [(b.rank, b.start, name[1]) for name, b in self._bookings.items() if b.rank > rank]
        return list(dict.fromkeys(ticket for _, _, ticket in sorted(found, reverse=True)))

    def have_room_for(self, bookings: Iterable[Booking], rooms: Mapping[Key, int]) -> bool:
        """Whether `bookings`, put beside what is there, would take at no time more than `rooms` of anything."""
        trial = self._layers[-1].copy()
        changed = self._take_all(trial, bookings)
        if self.accounts.overdrawn(trial.booked, trial.booked):
            return False
        return all(trial[key].fits(rooms[key], self.now, FOREVER) for key in changed if key in rooms)

    @contextmanager
    def left_aside(self, names: Iterable[Name]) -> Iterator[None]:
        """Within it the bookings of these names count as not there."""
        bookings = [self._bookings[name] for name in names if name in self._bookings]
        for booking in bookings:
            self._take(booking, -1)
        yield
        for booking in bookings:
            self._take(booking, 1)

    def _take_all(self, layer: Layer, bookings: Iterable[Booking]) -> set[Key]:
        """Take many at once; gives what has changed."""
        spans: defaultdict[Key, list[Span]] = defaultdict(list)
        shares = []
        for booking in bookings:
            end = booking.end + self.margin
            for key, amount in booking.amounts:
                spans[key].append((booking.start, end, amount))
            shares += [(share, booking.start, end) for share in booking.shares]
            layer.booked.update(dict(booking.costs))
        for key, added in spans.items():
            layer[key].take_all(added)
        return spans.keys() | self.guarantees.take_all(layer, shares)

    def _layers_from(self, rank: int) -> list[Layer]:
        """The layers in which a booking of `rank` stands; those that are missing are made."""
        while len(self._layers) <= rank:
            self._layers.append(self._layers[-1].copy())
        return self._layers[rank:]

    def _take(self, booking: Booking, sign: int) -> None:
        start, end = max(booking.start, self.now), booking.end + self.margin
        for layer in self._layers_from(booking.rank):
            for key, amount in booking.amounts:
                track = layer[key]
                track.forget(self.now)
                track.take(start, end, sign * amount)
            for account, work in booking.costs:
                layer.booked[account] += sign * work
            for share in booking.shares:
                self.guarantees.take(layer, share.times(sign), start, end)
