"""What the pool says about a ticket: why it waits, how it ended, what became of a promise. Each with what helps."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from labpool.domain.catalogue import Catalogue
from labpool.domain.inventory import Condition
from labpool.domain.plans import BreakCause, BrokenPromise
from labpool.domain.reasons import Holder, Wait, WaitReason
from labpool.domain.tickets import EndReason, Priority, State, Ticket
from labpool.domain.turn_sentences import turn_sentence
from labpool.domain.usage import booked_hours
from labpool.domain.words import Sentence, clock, count, decimal, gpu_hours, gpus, listed, server, span

_ENDED = {
    EndReason.STOPPED: "You stopped this server.",
    EndReason.CANCELLED: "You left the queue.",
    EndReason.EXPIRED: "The GPUs were kept for you and nobody used them, so the request was closed.",
    EndReason.FAILED: "The server could not be started; the last tries failed.",
    EndReason.PREEMPTED: "The GPUs went back to the project they belong to.",
    EndReason.TIME_LIMIT: "The hours you asked for were over.",
    EndReason.LOST: "The server, or the machine that it ran on, was gone and did not come back in time.",
    EndReason.NO_LONGER_MEMBER: "You are no longer a member of the project.",
    EndReason.PROFILE_REMOVED: "The profile is no longer offered.",
    EndReason.PROJECT_REMOVED: "The project was removed from the pool.",
    EndReason.ENDED_BY_ADMIN: "An admin ended it.",
}

_BROKEN = {
    BreakCause.DEVICE_UNAVAILABLE: "a GPU that was planned for you is out of order",
    BreakCause.NODE_UNAVAILABLE: "a machine is out of service, or has come back with what is taken or kept on it",
    BreakCause.OVERRUN: "a server that should have ended still holds its GPUs",
    BreakCause.POOL_OUTAGE: "the pool was not running when your turn came",
    BreakCause.HIGHER_CLASS: "a request of a higher class needs the GPUs",
    BreakCause.ADMIN_CHANGE: "an admin changed a limit or a project's share, or let somebody else start first",
}


_CONDITIONS = {
    Condition.SERVING: "in service",
    Condition.DRAINED: "being taken out of service: nothing new starts there, and what runs there runs to its end",
    Condition.FAILED: "down: what ran there is lost",
    Condition.SILENT: "not answering: nothing new starts there, and what ran there may be lost",
}

_KEEP_PLACE = "You keep your place"
_ASK_LESS = f"{_KEEP_PLACE}; asking for fewer GPUs or less time may start sooner."

TAKEN_BACK = (
    "These GPUs were borrowed, and the project that they belong to needs them back. "
    "Save your work: the server is stopped then, and your files stay."
)


def condition_sentence(condition: Condition) -> str:
    """How a machine stands."""
    return f"This machine is {_CONDITIONS[condition]}."


def lost_sentence(left: timedelta) -> str:
    """What became of a server whose machine is gone."""
    return (
        f"The machine that your GPUs are on is gone. You are in line again for {span(left)}, where you stood; "
        "your files stay, and what was not saved is lost."
    )


def requeued_sentence(left: timedelta) -> str:
    """What became of a server whose borrowed devices went back."""
    return (
        f"The GPUs that you borrowed have gone back to their owner. You are in line again for {span(left)}, where you "
        "stood; your files stay."
    )


def still_promised_sentence(starts_by: datetime, zone: tzinfo, now: datetime) -> str:
    """What stands for somebody who started before the promised time and lost the devices before it."""
    return f"You start again by {clock(starts_by, zone, now)} at the latest, as you were promised."


def unclaimed_sentence(expiry: timedelta) -> str:
    """What became of devices that nobody used."""
    return (
        'GPUs were kept for you and nobody used them, so they went to the next in line. Say "ready" to join the line '
        f"again; after {span(expiry)} the request is closed."
    )


def ended_sentence(reason: EndReason) -> str:
    """How a ticket ended. Files are never part of that: they stay."""
    return _ENDED[reason]


def broken_sentence(broken: BrokenPromise, zone: tzinfo, now: datetime) -> str:
    """Which promise was broken, by what, and what is planned instead."""
    told = clock(broken.promised, zone, now)
    if broken.runs:
        return (
            f"You were told {told} at the latest, also if the GPUs that you borrow go back to their owner before. That "
            f"cannot be kept, because {_BROKEN[broken.cause]}; your server runs on."
        )
    said = f"You were told {told} at the latest. That cannot be kept, because {_BROKEN[broken.cause]}."
    if broken.planned is None:
        return f"{said} No new time can be planned yet; you keep your place in line."
    return f"{said} Now planned: {clock(broken.planned, zone, now)}."


def no_promise_sentence(ticket: Ticket, catalogue: Catalogue) -> str:
    """Why a ticket in line is promised no latest start; empty where one is, or where it is not in line."""
    if ticket.state is not State.QUEUED or not ticket.ready or ticket.starts_by is not None:
        return ""
    if ticket.priority is Priority.SCAVENGER:
        return "No latest time is promised: a request of this class starts when others leave enough free."
    project, own = catalogue.projects.get(ticket.project), catalogue.nominal(ticket.project, ticket.flavour)
    named = project.title if project else ticket.project
    return (
        f"No latest time is promised: you need {gpus(ticket.gpus, _title(ticket, catalogue))}, and {named} has "
        f"{own or 'none'} of its own. It starts when others leave enough free; its place in line may change."
    )


def wait_sentence(ticket: Ticket, wait: Wait, catalogue: Catalogue, zone: tzinfo, now: datetime) -> Sentence:
    """Why a ticket waits. Other people are not named: their project is, and how many GPUs it holds until when."""
    match wait.reason:
        case WaitReason.NOT_READY:
            return _not_ready(catalogue)
        case WaitReason.SAME_SERVER:
            return _same_server(ticket, wait, zone, now)
        case WaitReason.OWN_LIMIT:
            return _own_limit(wait, zone, now)
        case _:
            return _shared(ticket, wait, catalogue, zone, now)


def _shared(ticket: Ticket, wait: Wait, catalogue: Catalogue, zone: tzinfo, now: datetime) -> Sentence:
    """What is not the user's own: the project's, or everybody's."""
    match wait.reason:
        case WaitReason.PROJECT_LIMIT:
            return _project_limit(ticket, wait, catalogue, zone, now)
        case WaitReason.BUDGET:
            return _budget(ticket, wait, catalogue, zone, now)
        case WaitReason.KEPT_FOR_OTHERS:
            return _kept_for_others(wait, catalogue, zone, now)
        case WaitReason.DEVICES:
            return _devices(ticket, wait, catalogue, zone, now)
        case _:
            return turn_sentence(ticket, wait, catalogue)


def _not_ready(catalogue: Catalogue) -> Sentence:
    return Sentence(
        "GPUs were kept for you once and nobody used them, so you are not in line now.",
        f'Say "ready" to join the line again; after {span(catalogue.queue.expiry)} the request is closed.',
    )


def _same_server(ticket: Ticket, wait: Wait, zone: tzinfo, now: datetime) -> Sentence:
    until = wait.holders[0].until if wait.holders else now
    return Sentence(
        f"You wait because {server(ticket.name)} still holds GPUs from its last start, "
        f"until {clock(until, zone, now)} at the latest.",
        "Nothing need be done: it starts by itself as soon as they are free.",
    )


def _own_limit(wait: Wait, zone: tzinfo, now: datetime) -> Sentence:
    named = listed([_own(holder, zone, now) for holder in wait.holders if holder.own])
    return Sentence(
        f"You wait because you may hold {count(wait.most, 'GPU')} at once: {named}.",
        "Stop one of your servers, or ask for fewer GPUs, to start sooner."
        if wait.missing
        else "Ask for less time, or leave the queue with the other server, to start sooner.",
    )


def _project_limit(ticket: Ticket, wait: Wait, catalogue: Catalogue, zone: tzinfo, now: datetime) -> Sentence:
    project = catalogue.projects.get(ticket.project)
    share = (
        f"{project.title if project else ticket.project} may hold {gpus(wait.most, _title(ticket, catalogue))} at once"
    )
    if not wait.missing:
        return _promised(ticket, wait, f"{share}, and ", zone, now)
    if ticket.gpus > wait.most:
        said = f"You wait because {share}, fewer than you need. It may hold more only while they are reserved for it."
        return Sentence(said, "Ask for fewer GPUs, or ask an admin for a reservation.")
    return Sentence(
        f"You wait because {share} and holds {_held(wait)}{_yours(wait, zone, now)}.{_next_end(wait, zone, now)}",
        _sooner(wait),
    )


def _budget(ticket: Ticket, wait: Wait, catalogue: Catalogue, zone: tzinfo, now: datetime) -> Sentence:
    project = catalogue.projects[ticket.project]
    per = f"this {project.budget.per.value}" if project.budget else ""
    if project.budget and wait.begins:
        per = f"the {project.budget.per.value} from {clock(wait.begins, zone, now)} on"
    asked = booked_hours(ticket.gpus, catalogue.charge_of(ticket.flavour), ticket.duration)
    renewed = clock(wait.renewed or now, zone, now)
    return Sentence(
        f"You wait because {project.title} has {gpu_hours(wait.hours_left)} of {per} left that are not "
        f"set aside, and you ask for {decimal(asked)}; its budget begins anew at {renewed}.",
        f"Ask for less time to start sooner, or ask an owner of {project.title} about the budget.",
    )


def _kept_for_others(wait: Wait, catalogue: Catalogue, zone: tzinfo, now: datetime) -> Sentence:
    known = catalogue.projects
    names = [known[name].title if name in known else name for name in wait.kept_for]
    whose = f"kept for {listed(names)}" if names else "closed for maintenance"
    until = f", until {clock(wait.kept_until, zone, now)}" if wait.kept_until else ""
    said = f"You wait because the GPUs that are free are {whose}{until}."
    return Sentence(said, "Ask for less time, or for another GPU, to start sooner.")


def _devices(ticket: Ticket, wait: Wait, catalogue: Catalogue, zone: tzinfo, now: datetime) -> Sentence:
    if not wait.missing:
        return _promised(ticket, wait, "", zone, now)
    if not wait.holders:
        return _out_of_order(ticket, wait, catalogue)
    in_use = _in_use(_held(wait), wait.most, _title(ticket, catalogue))
    if _held(wait) < wait.most:
        in_use += f", and you need {ticket.gpus} on one machine"
    return Sentence(
        f"You wait because {in_use}{_yours(wait, zone, now)}.{_next_end(wait, zone, now)}",
        _sooner(wait),
    )


def _out_of_order(ticket: Ticket, wait: Wait, catalogue: Catalogue) -> Sentence:
    need, usable = gpus(ticket.gpus, _title(ticket, catalogue)), ticket.gpus - wait.missing
    return Sentence(
        "You wait because GPUs are out of order or used outside the pool, or their machine is out of service: "
        f"you need {need} on one machine, and {usable or 'none'} can be used.",
        f"{_KEEP_PLACE}; ask the lab's admins when they will be back, or for another profile meanwhile.",
    )


def _in_use(held: int, most: int, title: str) -> str:
    if held < most:
        return f"{held} of {gpus(most, title)} {'is' if held == 1 else 'are'} in use"
    if most == 1:
        return f"the only GPU ({title}) is in use"
    return f"both GPUs ({title}) are in use" if most == 2 else f"all {gpus(held, title)} are in use"


def _promised(ticket: Ticket, wait: Wait, lead: str, zone: tzinfo, now: datetime) -> Sentence:
    begins = next((holder.since for holder in wait.holders if holder.since and holder.since > now), None)
    when = f" from {clock(begins, zone, now)} on" if begins else ""
    return Sentence(
        f"You wait because {lead}what is free now is promised to others{when}, "
        f"and your {span(ticket.duration)} would run into that.",
        "Ask for less time to start sooner." if begins else _ASK_LESS,
    )


def _own(holder: Holder, zone: tzinfo, now: datetime) -> str:
    until = clock(holder.until, zone, now)
    if holder.since:
        return f"{server(holder.name)} is planned for {holder.devices} from {clock(holder.since, zone, now)} to {until}"
    return f"{server(holder.name)} holds {holder.devices} until {until}"


def _held(wait: Wait) -> int:
    return sum(holder.devices for holder in wait.holders)


def _yours(wait: Wait, zone: tzinfo, now: datetime) -> str:
    own = [holder for holder in wait.holders if holder.own]
    return f" ({listed([_own(holder, zone, now) for holder in own])})" if own else ""


def _next_end(wait: Wait, zone: tzinfo, now: datetime) -> str:
    ahead = [holder.until for holder in wait.holders if holder.until > now]
    if len(ahead) < len(wait.holders):
        return " One of the leases is over; its GPUs are free as soon as its server is gone."
    return f" The next lease ends at {clock(min(ahead), zone, now)} at the latest." if ahead else ""


def _sooner(wait: Wait) -> str:
    return "Stop a server of yours to start sooner." if any(holder.own for holder in wait.holders) else _ASK_LESS


def _title(ticket: Ticket, catalogue: Catalogue) -> str:
    flavour = catalogue.flavours.get(ticket.flavour)
    return flavour.title if flavour else ticket.flavour
