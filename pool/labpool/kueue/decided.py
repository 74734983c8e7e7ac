"""What Kueue's Workloads come to as verdicts on tickets."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from labpool.domain.reasons import WaitReason
from labpool.domain.verdicts import Verdict, Verdicts
from labpool.kueue.workloads import Workload
from labpool.settings import KueueSettings

_PREEMPTOR = re.compile(r"\(UID: ([^,)]+)")
_LACKING = re.compile(r"insufficient (?:unused )?quota for (\S+) in flavor")
_EXCLUDED = re.compile(r'resource "([^"]+)"')
_STOPPED = re.compile(r"\b(?:Local|Cluster)Queue \S+ (?:doesn't exist|is inactive|is stopped)")


def verdicts_of(
    workloads: Iterable[Workload],
    pool: str,
    settings: KueueSettings,
    places: Mapping[str, int],
    held_off: Collection[str],
    machines: Mapping[str, str] = MappingProxyType({}),
) -> Verdicts:
    """Verdicts on the tickets of a pool, and what others hold.

    Args:
        workloads: All in the namespace where servers run.
        pool: The id of the pool.
        settings: How its queues are run; names of its flavours begin with their cohort.
        places: Those in their LocalQueues that Kueue tells, by name, from 1.
        held_off: Tickets whose turn came to nothing lately, and counts no more.
        machines: Names of nodes by their host names, which are what Kueue tells, where those are others.
    """
    known = [each for each in workloads if not each.going and not each.is_true("Finished")]
    ours = sorted((each for each in known if each.pool == pool), key=lambda each: each.unclaimed)
    tickets = {each.uid: each.ticket for each in ours}
    lines = _Lines(known, places)
    of = {each.ticket: _verdict(each, tickets, lines, held_off, machines) for each in ours}  # the last one counts
    for owner in {verdict.taken_for for verdict in of.values()} & of.keys():  # it may be told later, or never
        of[owner] = replace(of[owner], why=WaitReason.COMING_BACK)
    others = _others((each for each in known if each.pool != pool), settings.cohort)
    return Verdicts(of, others, may_pass=settings.queueing == "BestEffortFIFO")


def _verdict(
    workload: Workload,
    tickets: Mapping[str, str],
    lines: _Lines,
    held_off: Collection[str],
    machines: Mapping[str, str],
) -> Verdict:
    evicted = workload.says("Evicted")
    has_turn = workload.admitted and workload.ticket not in held_off
    preemptor = _PREEMPTOR.search(evicted.message) if evicted and workload.asked_back else None
    return Verdict(
        ticket=workload.ticket,
        attempt=workload.attempt,
        unclaimed=workload.unclaimed,
        node=machines.get(workload.node, workload.node) if has_turn else "",
        goes_back=workload.asked_back,
        taken_for=tickets.get(preemptor.group(1), "") if preemptor else "",
        place=lines.place(workload) if workload.pending else None,
        why=WaitReason.NOT_PLACED if workload.ticket in held_off else why_pending(workload),
    )


def why_pending(workload: Workload) -> WaitReason | None:
    """Why it stands in line, as far as Kueue says so."""
    said = workload.says("QuotaReserved")
    if said is None or said.holds:
        return None
    if _STOPPED.search(said.message):
        return WaitReason.QUEUE_STOPPED
    if "Pending the preemption" in said.message:
        return WaitReason.COMING_BACK
    if lacking := _LACKING.findall(said.message):
        return WaitReason.DEVICES if any(map(_is_device, lacking)) else WaitReason.BESIDE_DEVICES
    if "doesn't allow to fit" in said.message:
        excluded = _EXCLUDED.findall(said.message)
        only_beside = excluded and not any(map(_is_device, excluded))
        return WaitReason.BESIDE_DEVICES if only_beside else WaitReason.NO_ROOM
    return None


def _is_device(resource: str) -> bool:
    return "/" in resource


class _Lines:
    """The lines of all LocalQueues, as Kueue tells them; who is held back by the pool stands where they would be."""

    def __init__(self, workloads: Iterable[Workload], places: Mapping[str, int]) -> None:
        self._places = places
        self._ranks: defaultdict[str, list[tuple[int, datetime, str]]] = defaultdict(list)
        for each in workloads:
            if each.pending and each.active:
                self._ranks[each.queue].append(each.rank)
        for ranks in self._ranks.values():
            ranks.sort()

    def place(self, workload: Workload) -> int:
        if workload.active and workload.name in self._places:
            return self._places[workload.name]
        return 1 + bisect_left(self._ranks[workload.queue], workload.rank)


def _others(workloads: Iterable[Workload], cohort: str) -> Mapping[str, int]:
    """Devices of our flavours that Workloads of nobody in this pool hold."""
    held: Counter[str] = Counter()
    holding = (each for each in workloads if each.reserved)
    for resource, (name, amount) in (each for workload in holding for each in workload.holds.items()):
        if _is_device(resource) and name.startswith(f"{cohort}-"):
            held[name.removeprefix(f"{cohort}-").rpartition("-")[0]] += amount // 1000
    return held
