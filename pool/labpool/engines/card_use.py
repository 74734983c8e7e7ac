"""Who computes on which card, and whether that is right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from labpool.domain.leases import Lease
from labpool.engines.engine import Trespasser
from labpool.engines.nvml import Card
from labpool.engines.proc import ProcessTable, describe


@dataclass(frozen=True, slots=True)
class CardUse:
    """One process on one card. `seen` is False where this machine doesn't show it: a container's, or just gone."""

    device: str
    pid: int
    program: str
    owner: str
    ticket: str | None
    seen: bool = True


def uses_of(cards: Iterable[Card], table: ProcessTable) -> tuple[CardUse, ...]:
    """All processes on `cards`. Blocking: reads /proc."""
    return tuple(_use(card.uuid, pid, table) for card in cards for pid in card.pids)


def withheld_reasons(uses: Iterable[CardUse], leases: Iterable[Lease] | None) -> dict[str, str]:
    """Device id to why it must not be granted. Without `leases`, a process of any server counts as rightful."""
    holders = _holders(leases) if leases is not None else None
    wrong = (use for use in uses if not _rightful(use, holders))
    return {use.device: _reason(use) for use in wrong}


def unlisted_reasons(cards: Iterable[Card]) -> dict[str, str]:
    """Device id to why nobody can tell whether it is in use."""
    return {card.uuid: f"The driver doesn't list its processes: {card.unlisted}." for card in cards if card.unlisted}


def trespassers_among(uses: Iterable[CardUse], leases: Iterable[Lease]) -> Iterator[Trespasser]:
    """Processes on devices that they hold no lease of.

    One that this machine doesn't show is told only where nobody leases the device: it may be the holder's own, seen
    from inside a container under another number.
    """
    holders = _holders(leases)
    for use in uses:
        holder = holders.get(use.device)
        if not _rightful(use, holders) and (use.seen or holder is None):
            yield Trespasser(use.device, use.pid, use.program, use.owner, use.ticket, holder)


def _use(device: str, pid: int, table: ProcessTable) -> CardUse:
    words = describe(pid)
    if words is None:
        return CardUse(device, pid, "a process", "an unknown account", None, seen=False)
    return CardUse(device, pid, words.program, words.owner, table.ticket_of(pid))


def _holders(leases: Iterable[Lease]) -> dict[str, str]:
    return {device: lease.ticket for lease in leases for device in lease.devices}


def _rightful(use: CardUse, holders: Mapping[str, str] | None) -> bool:
    return use.ticket is not None and (holders is None or holders.get(use.device) == use.ticket)


def _reason(use: CardUse) -> str:
    if not use.seen:
        return f"Process {use.pid} computes on it, which this machine doesn't show; it may run in a container."
    who = f"{use.program} (process {use.pid} of {use.owner})"
    if use.ticket is None:
        return f"{who} computes on it and belongs to no server of the pool."
    return f"{who} computes on it, though its server holds no lease of this GPU."
