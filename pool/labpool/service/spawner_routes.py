"""What the spawner asks: the lease of a server, and the live parts of the hub's pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status

from labpool.api_models import (
    FormView,
    HomeView,
    LeaseToApply,
    Problem,
    ServerStopped,
    SpawnAsked,
    Waiting,
)
from labpool.domain.reasons import Refusal
from labpool.hub_signin import Refusal as Refused
from labpool.service.access import ThePool, only_the_spawner
from labpool.service.asking import Holds, Waits
from labpool.service.parts import Parts
from labpool.service.problems import Rejected, as_problem
from labpool.service.to_apply import to_apply

routes = APIRouter(tags=["spawner"], dependencies=[Depends(only_the_spawner)], responses={401: {"model": Problem}})


@routes.post(
    "/spawns",
    responses={202: {"model": Waiting}, 409: {"model": Problem}, 422: {"model": Problem}},
    summary="The lease of a server, or the ticket that waits for one",
)
async def ask(asked: SpawnAsked, response: Response, pool: ThePool) -> LeaseToApply | Waiting:
    """Answer with the lease of (user, server); without one a ticket is filed and granted at once where it can be."""
    match await pool.asking.ask(asked):
        case Holds(ticket=ticket, lease=lease):
            await pool.reconciler.clear_leftovers(ticket)
            pool.reconciler.look_after_start()
            devices = pool.viewer.leased_devices(lease)
            if len(devices) < len(lease.devices):
                raise Rejected(_device_gone())
            profile = pool.desk.catalogue.profile_of(ticket)
            return to_apply(ticket, lease, profile, devices, pool.tokens.token(ticket))
        case Waits(ticket=ticket):
            response.status_code = status.HTTP_202_ACCEPTED
            return await _waiting(ticket.id, pool)
        case Refusal() as refusal:
            raise Rejected(as_problem(refusal))


@routes.post("/spawns/stopped", status_code=204, summary="A person stopped a leased server")
async def stopped(server: ServerStopped, pool: ThePool) -> None:
    """End its lease. Nothing happens where the ticket has ended, waits, is unknown or holds a later lease."""
    await pool.reconciler.stopped(server.ticket, server.user, server.granted_at)


@routes.get("/users/{user}/form", summary="The live part of a user's spawn form")
async def form(user: str, pool: ThePool, groups: Annotated[list[str] | None, Query()] = None) -> FormView:
    """For each of the user's projects, what its profiles would meet now."""
    return await pool.viewer.form(user, frozenset(groups or ()))


@routes.get("/users/{user}/home", summary="A user's open tickets")
async def home(user: str, pool: ThePool) -> HomeView:
    """For the hub's home page."""
    return await pool.viewer.home(user)


async def _waiting(ticket_id: str, pool: Parts) -> Waiting:
    seen = await pool.desk.view(lambda view: pool.viewer.just_asked(view, pool.desk.get(view, ticket_id)))
    view = await pool.viewer.shown(seen)
    wait = view.wait.message if view.wait else "Your ticket is in the queue."
    return Waiting(ticket=ticket_id, path=view.path, retry_after=pool.viewer.retry_after(view), message=wait)


def _device_gone() -> Refused:
    return Refused(
        409,
        "device_gone",
        "A GPU is gone",
        "A GPU of this server's lease is no longer in the pool.",
        "Give the lease back on the page of its ticket, and ask again.",
    )
