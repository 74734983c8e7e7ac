"""Why a lease is not extended, in words: what is in the way, what is possible, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from labpool.domain.catalogue import Profile
from labpool.domain.leases import Lease
from labpool.domain.needs import Needs
from labpool.domain.reasons import ExtensionReason, NotExtended
from labpool.domain.sentences import ended_sentence
from labpool.domain.tickets import EndReason, State, Ticket
from labpool.domain.words import clock, count, gpus, listed, span
from labpool.domain.world import World

_NEXT_RUN = "Save checkpoints to go on in a next run."
_LATER = f"Extend it when they don't wait any more. {_NEXT_RUN}"


def not_in_use(ticket: Ticket) -> NotExtended:
    """It waits, was never used, or has ended."""
    if ticket.state is State.GRANTED:
        said = "Nobody has used this server yet, so its hours are not extended."
        return NotExtended(ExtensionReason.NOT_IN_USE, said, "Open it first.")
    said = f"This ticket is {ticket.state.value} and holds no GPU, so there is nothing to extend."
    return NotExtended(ExtensionReason.NOT_IN_USE, said, "Ask for the hours that you need.")


def taken_back() -> NotExtended:
    """It was borrowed and goes back to its owner."""
    said = "These GPUs were borrowed, and the project that they belong to needs them back."
    return NotExtended(ExtensionReason.TAKEN_BACK, said, _NEXT_RUN)


def ending() -> NotExtended:
    """Its server is being stopped, or is about to be."""
    return NotExtended(ExtensionReason.ENDING, "This server is being stopped.", "Ask for a next run; your files stay.")


def not_offered(reason: EndReason) -> NotExtended:
    """A next run of the same could not be asked for either."""
    said = f"{ended_sentence(reason)} What runs keeps its GPUs until the end that was asked for."
    return NotExtended(ExtensionReason.NOT_OFFERED, said, "Save your work before that.")


def too_short(asked: timedelta, shortest: timedelta) -> NotExtended:
    """Less than anything is extended by."""
    said = f"You asked for {span(asked)} more; the shortest extension is {span(shortest)}."
    return NotExtended(ExtensionReason.TOO_SHORT, said, f"Ask for {span(shortest)} or more.")


def borrowed(lease: Lease, world: World) -> NotExtended:
    """What is borrowed goes to whoever waits."""
    said = f"These GPUs are borrowed, and somebody waits for such ones ({_title(lease, world)})."
    return NotExtended(ExtensionReason.BORROWED, said, _LATER)


def others_turn(lease: Lease, projects: Sequence[str], world: World) -> NotExtended:
    """Others are further behind in what they could use."""
    named = listed([_project(project, world) for project in projects])
    said = f"{named} used less for {'their' if len(projects) > 1 else 'its'} share lately"
    said += f" and {'wait' if len(projects) > 1 else 'waits'} for such GPUs ({_title(lease, world)})."
    return NotExtended(ExtensionReason.OTHERS_TURN, said, _LATER)


def bounded(
    reason: ExtensionReason, ticket: Ticket, world: World, now: datetime, until: datetime, possible: timedelta
) -> NotExtended:
    """It can go on until some time only: of what is asked for only `possible` is."""
    profile = world.catalogue.profiles[ticket.profile]
    begins = clock(until + world.catalogue.queue.turnover, timezone.utc, now)
    remedy = _NEXT_RUN
    if possible:
        remedy = f"Extend it by {span(possible)} or less."
    elif reason is ExtensionReason.TOO_LONG:
        remedy = "Extend it later: so much can be added as has passed by then."
    return NotExtended(reason, _bound(reason, ticket, world, profile, begins), remedy, until)


def _bound(reason: ExtensionReason, ticket: Ticket, world: World, profile: Profile, begins: str) -> str:
    others = f"from {begins} on, other servers, running or planned, leave too little of that for this one."
    match reason:
        case ExtensionReason.TOO_LONG:
            return f"With {profile.title} a server may run for {span(profile.longest)} from now at most."
        case ExtensionReason.TOO_LONG_IN_ALL:
            in_all = span(profile.longest if profile.longest_in_all is None else profile.longest_in_all)
            return f"With {profile.title} a server may run for {in_all} in all, with everything that it is extended by."
        case ExtensionReason.OWN_LIMIT:
            return f"You may hold {count(Needs(world).limit_of(ticket.user).gpus, 'GPU')} at once; {others}"
        case ExtensionReason.PROJECT_LIMIT:
            project = world.catalogue.projects[ticket.project]
            most = gpus(project.most_at_once(ticket.flavour), _title(ticket, world))
            return f"{project.title} may hold {most} at once; {others}"
        case ExtensionReason.BUDGET:
            project = world.catalogue.projects[ticket.project]
            return f"{project.title} has too few GPU-hours left in its budget for more."
        case _:
            return f"From {begins} on its GPUs are kept for others."


def _title(held: Lease | Ticket, world: World) -> str:
    flavour = world.catalogue.flavours.get(held.flavour)
    return flavour.title if flavour else held.flavour


def _project(name: str, world: World) -> str:
    project = world.catalogue.projects.get(name)
    return project.title if project else name
