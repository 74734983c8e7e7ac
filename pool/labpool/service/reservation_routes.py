"""The API for reservations."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, status

from labpool.api_models import Problem, ReservationAsked, ReservationView
from labpool.service.access import READ, WRITE, Person, ThePool, needs
from labpool.service.reservation_views import reservation_of, reservations_of
from labpool.service.reserving import cancel, reserve

_Responses = dict[int | str, dict[str, Any]]  # as FastAPI has it
_REFUSALS: _Responses = {code: {"model": Problem} for code in (401, 403)}
_MADE: _Responses = _REFUSALS | {code: {"model": Problem} for code in (409, 422)}

routes = APIRouter(prefix="/reservations", tags=["reservations"])


@routes.get("", responses=_REFUSALS, summary="Reservations of my projects, and maintenance")
async def reservations(user: Person, pool: ThePool) -> list[ReservationView]:
    """Those that are on or to come within 90 days; everybody's for an admin."""
    needs(user, READ)
    return await reservations_of(pool.desk, user)


@routes.post("", status_code=status.HTTP_201_CREATED, responses=_MADE, summary="Reserve, or close a machine")
async def make(asked: ReservationAsked, user: Person, pool: ThePool) -> ReservationView:
    """By a project's owner where it does no harm; by an admin for any project, or for none, which is maintenance.

    Where promises would break or GPUs would still be in use, the answer is a 409 that says how many. An admin who
    accepts that sends the same again with these numbers as `confirm`.
    """
    needs(user, WRITE)
    made = await reserve(pool.desk, asked, user)
    pool.reconciler.look_soon()
    return await reservation_of(pool.desk, made, user)


@routes.delete(
    "/{reservation}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_REFUSALS | {404: {"model": Problem}},
    summary="Cancel a reservation",
)
async def unmake(reservation: str, user: Person, pool: ThePool) -> None:
    """All its times to come, and what is left of one that is on."""
    needs(user, WRITE)
    await cancel(pool.desk, reservation, user)
    pool.reconciler.look_soon()
