"""What an admin does to somebody's ticket: let it start ahead of all others, or end it and say why."""

from __future__ import annotations

from datetime import datetime, timezone

from labpool.api_models import Confirmation
from labpool.domain.explain import why_waiting
from labpool.domain.granting import alone, grant_first
from labpool.domain.plans import Grant
from labpool.domain.reserving import Consequences
from labpool.domain.sentences import wait_sentence
from labpool.domain.tickets import State, Ticket
from labpool.domain.world import World
from labpool.hub_signin import Refusal, SignedIn
from labpool.service.deciding import write_grant
from labpool.service.desk import Desk, NotNow
from labpool.service.engine_decides import only_a_planner_can
from labpool.service.harm import accepted, question
from labpool.service.problems import Rejected
from labpool.service.trail import note
from labpool.store import Notice, Transaction


async def let_start(desk: Desk, ticket_id: str, confirm: Confirmation | None, why: str, user: SignedIn) -> None:
    """Grant a waiting ticket at once, ahead of all others.

    Raises:
        NoSuchTicket: no ticket has this id.
        NotNow: it doesn't wait for its turn, or the hub can't start servers now.
        Rejected: it could not start even if nobody else waited; promises would break and nobody has confirmed how many;
            or the engine decides who is next.
    """
    only_a_planner_can(
        desk, "letting somebody start first", "End a lease that is in its way, or put its profile in a higher class."
    )

    def write(change: Transaction) -> Refusal | None:
        ticket, now = desk.get(change, ticket_id), desk.clock()
        _check_waits(ticket, desk)
        world = desk.world(change)
        found = grant_first(world, ticket, now)
        if found is None:
            return _impossible(ticket, world, now)
        harm = Consequences(found.broken)
        if (asks := question(confirm, harm)) is None:
            lease = found.lease
            grant = Grant(ticket.id, lease.devices, lease.starts, lease.ends)
            write_grant(change, grant, desk.catalogue, now, user.name)
            note(change, now, user.name, "granted_first", ticket.id, f"{why}{accepted(harm)}")
        return asks

    refusal = await desk.change(write)
    if refusal is not None:
        raise Rejected(refusal)


async def tell_why_ended(desk: Desk, ticket: Ticket, why: str, user: SignedIn) -> None:
    """Tell a ticket's owner why an admin ends it."""

    def write(change: Transaction) -> None:
        now = desk.clock()
        note(change, now, user.name, "why_ended", ticket.id, why)
        message = f"An admin ended this: {why}"
        change.add_notice(Notice(ticket.id, f"{ticket.attempt}/ended_by_admin", "ended_by_admin", now, message))

    await desk.change(write, replan=False)


def _check_waits(ticket: Ticket, desk: Desk) -> None:
    if not desk.hub_answers:
        raise NotNow("The hub does not answer now, and it is the hub that starts servers. Try again in a minute.")
    if ticket.state is not State.QUEUED:
        raise NotNow(f"This ticket is {ticket.state.value}; only one that waits can be let start.")
    if not ticket.ready:
        raise NotNow("A grant of this ticket went unclaimed; it waits for its owner to say ready.")


def _impossible(ticket: Ticket, world: World, now: datetime) -> Refusal:
    wait = why_waiting(ticket, alone(world, ticket), now)
    told = wait_sentence(ticket, wait, world.catalogue, timezone.utc, now).message if wait else "It waits."
    return Refusal(
        409,
        "not_grantable",
        "Not possible now",
        f"It could not start even if nobody else waited. Its owner is told: {told}",
        "End a lease that is in its way first, or raise the limit that it meets.",
    )
