"""How many devices can be kept for each reservation, where not all that is reserved is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from labpool.domain.guarantees import Guarantees
from labpool.domain.needs import Key, node_key
from labpool.domain.reservations import Reservation
from labpool.domain.stock import Stock
from labpool.domain.timeline import Timeline


def kept_for(
    reservations: Collection[Reservation], stock: Stock, guarantees: Guarantees
) -> Mapping[str, Mapping[Key, int]]:
    """By its id, how many devices of each thing are kept for a reservation: what is closed first, then in order.

    Where devices are out of order it may be fewer than were reserved: what is not there can't be kept from anybody.
    """
    found: dict[str, dict[Key, int]] = {each.id: {} for each in reservations}
    in_order = sorted(reservations, key=lambda each: (each.project != "", each.start, each.id))
    for thing, _ in guarantees.totals():
        spare, taken = stock.room.get(thing, 0) - guarantees.never_lent(thing), Timeline()
        for each in in_order:
            wanted = _wanted(each, thing, stock)
            if wanted is not None:
                kept = max(min(wanted, spare - taken.most_taken(each.start, each.end)), 0)
                taken.take(each.start, each.end, kept)
                found[each.id][thing] = kept
    return found


def shortfalls(reservations: Collection[Reservation], stock: Stock, guarantees: Guarantees) -> Counter[str]:
    """By its id, the devices that a project's reservation lacks: they are kept for others, or are not there."""
    for_projects = {each.id: each.devices for each in reservations if each.project}
    kept = kept_for(reservations, stock, guarantees)
    return Counter({name: wanted - min(kept[name].values(), default=wanted) for name, wanted in for_projects.items()})


def _wanted(each: Reservation, thing: Key, stock: Stock) -> int | None:
    """How much of a thing a reservation takes; None where it has nothing to do with it."""
    flavour, node = thing[-1], thing[1] if thing[0] == "node" else ""
    if node not in ("", each.node):
        return None
    if each.project:
        return each.devices if each.flavour == flavour else None
    return dict(stock.on_node(each.node)).get(node_key(each.node, flavour), 0)
