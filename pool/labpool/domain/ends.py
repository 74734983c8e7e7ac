"""What is due on a ticket: start it, end it, take it back. The service only carries out what is said here.

Each call names one next step; the service does it, records it and asks again at its next look round, so that a step cut
off in the middle is simply named again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from labpool.domain.catalogue import Catalogue, QueueRules
from labpool.domain.inventory import Condition, Node
from labpool.domain.leases import Lease
from labpool.domain.tickets import EndReason, State, Ticket


@dataclass(frozen=True, slots=True)
class Nothing:
    """All is as it should be."""


@dataclass(frozen=True, slots=True)
class NoteAbsent:
    """Nothing of the lease's server is found: store `absent_since`."""


@dataclass(frozen=True, slots=True)
class NotePresent:
    """The server is back: clear `absent_since`."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start the server, unless another one of the same name runs; count the try in `start_tries`."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask the server to stop (SIGTERM) and store `stopping_since`."""


@dataclass(frozen=True, slots=True)
class Kill:
    """The server had its grace: end its processes (SIGKILL)."""


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Nobody used the grant: drop the lease and apply Event.UNCLAIMED to the ticket."""


@dataclass(frozen=True, slots=True)
class End:
    """Drop the lease, if there is one, and end the ticket.

    `used_until` is given where the devices were lost: what came after is nobody's use.
    """

    reason: EndReason
    used_until: datetime | None = None

    @property
    def lost(self) -> bool:
        """Whether the devices are lost with their node."""
        return self.used_until is not None


@dataclass(frozen=True, slots=True)
class Requeue:
    """The devices went back to their owner or were lost: drop the lease, and put the ticket back in line for `left`.

    `used_until` is given where they were lost: what came after is nobody's use. `unplaced`: they are there, and their
    node has no room for the server.
    """

    left: timedelta
    used_until: datetime | None = None
    unplaced: bool = False

    @property
    def lost(self) -> bool:
        """Whether the devices are lost with their node."""
        return self.used_until is not None and not self.unplaced


Action = Nothing | NoteAbsent | NotePresent | Start | Stop | Kill | TakeBack | Requeue | End


def claim_by(lease: Lease, rules: QueueRules) -> datetime:
    """Until when the server of a granted ticket must have been used once.

    Counted from when it was ready, or could be switched to. Before that nobody can use it, so its end is the limit.
    """
    return min(lease.ready_at + rules.claim, lease.ends) if lease.ready_at else lease.ends


def stop_at(lease: Lease, rules: QueueRules) -> datetime:
    """When the server is asked to stop so that its devices are free at the end; never before half of its time."""
    return max(lease.ends - rules.end_grace, lease.starts + (lease.ends - lease.starts) / 2)


def due_unplaced(lease: Lease, ticket: Ticket, rules: QueueRules, now: datetime, since: datetime) -> Requeue | None:
    """The step on a ticket whose server finds no room on its node `since` then; None while that may still change.

    A lease that ends anyway is left to that.
    """
    since = min(max(since, lease.starts), now)
    if now < since + rules.placement or now >= stop_at(lease, rules) or lease.stopping_since is not None:
        return None
    if ticket.state is State.GRANTED:
        return Requeue(ticket.duration, lease.starts, unplaced=True)  # its user had nothing of it yet
    left = ticket.duration - (since - lease.starts)
    again = ticket.state is State.RUNNING and ticket.starts_again and left >= rules.shortest
    return Requeue(left, since, unplaced=True) if again else None


def due(
    lease: Lease, ticket: Ticket, rules: QueueRules, now: datetime, alive: bool, lost_with: Node | None = None
) -> Action:
    """The next step on a ticket that holds devices.

    `alive`: something of its server runs or is being started. While it is, the lease is never dropped, even past its
    end: its devices are in use. `lost_with` is the failed or silent node that its devices are lost with: of a silent
    one `alive` is a sign of life, of a failed one nothing is.
    """
    if lost_with is not None and lost_with.condition is Condition.FAILED:
        alive = False
    if lease.stopping_since is not None:
        return _while_stopping(lease, ticket, rules, now, alive)
    if lost_with is not None and not alive:
        return _while_lost(lease, ticket, rules, now, lost_with)
    if now >= stop_at(lease, rules):
        return Stop() if alive else _over(lease, ticket, rules)
    if ticket.state is State.GRANTED:
        return _while_granted(lease, ticket, rules, now, alive)
    return _while_running(lease, rules, now, alive)


def due_in_queue(ticket: Ticket, catalogue: Catalogue, now: datetime) -> Nothing | End:
    """The next step on a queued ticket. A waiting one ends only with what it asked for, or unclaimed for too long."""
    project = catalogue.projects.get(ticket.project)
    if project is None:
        return End(EndReason.PROJECT_REMOVED)
    profile = catalogue.profiles.get(ticket.profile)
    if profile is None or ticket.profile not in project.profiles:
        return End(EndReason.PROFILE_REMOVED)
    if (profile.flavour, profile.gpus) != (ticket.flavour, ticket.gpus):
        return End(EndReason.PROFILE_REMOVED)  # another one bears its name now
    if not project.has_member(ticket.user, ticket.groups):
        return End(EndReason.NO_LONGER_MEMBER)
    if not ticket.ready and now >= ticket.in_line_since + catalogue.queue.expiry:
        return End(EndReason.EXPIRED)
    return Nothing()


def notice_before_end(lease: Lease, rules: QueueRules, now: datetime) -> timedelta | None:
    """The last of the notices that have come due (time before the end); None before the first.

    A notice longer than the whole lease is left out. Whoever passes notices on does so when this value changes.
    """
    fitting = (notice for notice in rules.notices if notice < lease.ends - lease.starts)
    return min((notice for notice in fitting if now >= lease.ends - notice), default=None)


def _while_stopping(lease: Lease, ticket: Ticket, rules: QueueRules, now: datetime, alive: bool) -> Action:
    since = lease.stopping_since or now
    if not alive:
        return _after_stop(lease, ticket, rules, since)
    patience = since + rules.end_grace
    kill_at = min(patience, lease.ends) if since < lease.ends else patience
    return Kill() if now >= kill_at else Nothing()


def _after_stop(lease: Lease, ticket: Ticket, rules: QueueRules, since: datetime) -> TakeBack | Requeue | End:
    """Why a server was stopped follows from when: at its end, at the end of its claim window, or by a person."""
    if lease.stopping_for is not None:
        return End(lease.stopping_for)
    if since >= stop_at(lease, rules):
        return _over(lease, ticket, rules)
    if ticket.state is State.GRANTED and since >= claim_by(lease, rules):
        return _unclaimed(ticket)
    return End(EndReason.STOPPED)


def _over(lease: Lease, ticket: Ticket, rules: QueueRules) -> Requeue | End:
    """How a lease ends whose time is over: for good, or because it was borrowed and goes back."""
    if ticket.state is not State.RECLAIMING:
        return End(EndReason.TIME_LIMIT)
    if lease.taken_unused:
        return Requeue(ticket.duration)  # its user had nothing of it yet: that is not a start "again"
    left = ticket.duration - (lease.ends - lease.starts)
    return Requeue(left) if ticket.starts_again and left >= rules.shortest else End(EndReason.PREEMPTED)


def _while_lost(lease: Lease, ticket: Ticket, rules: QueueRules, now: datetime, node: Node) -> Action:
    """A failed node takes its leases with it at once, a silent one when it was silent for the restart time."""
    lost_at = max(min(node.since or lease.absent_since or now, now, lease.ends), lease.starts)
    settles = min(lost_at + rules.restart, stop_at(lease, rules))
    if node.condition is Condition.SILENT and now < settles:
        return Nothing() if lease.absent_since else NoteAbsent()
    if ticket.state is State.GRANTED or lease.taken_unused:
        return Requeue(ticket.duration, lease.starts)  # its user had nothing of it yet: that is not a start "again"
    left = ticket.duration - (lost_at - lease.starts)
    again = ticket.starts_again and left >= rules.shortest
    return Requeue(left, lost_at) if again else End(EndReason.LOST, lost_at)


def _while_granted(lease: Lease, ticket: Ticket, rules: QueueRules, now: datetime, alive: bool) -> Action:
    if now >= claim_by(lease, rules):
        return Stop() if alive else _unclaimed(ticket)
    if alive:
        return NotePresent() if lease.absent_since else Nothing()
    return Start() if lease.start_tries < rules.start_tries else End(EndReason.FAILED)


def _while_running(lease: Lease, rules: QueueRules, now: datetime, alive: bool) -> Action:
    if alive:
        return NotePresent() if lease.absent_since else Nothing()
    if lease.absent_since is None:
        return NoteAbsent()
    return End(EndReason.LOST) if now >= lease.absent_since + rules.restart else Nothing()


def _unclaimed(ticket: Ticket) -> TakeBack | End:
    return End(EndReason.EXPIRED) if ticket.unclaimed else TakeBack()
