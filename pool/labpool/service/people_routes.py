"""The API for what the pool knows of people."""

from __future__ import annotations

from fastapi import APIRouter

from labpool.api_models import ErasedView, Problem
from labpool.service.access import ADMIN, Person, ThePool, needs
from labpool.service.people import erase_person

routes = APIRouter(prefix="/people", tags=["people"])


@routes.delete(
    "/{name:path}",
    responses={code: {"model": Problem} for code in (401, 403, 404, 409)},
    summary="Erase a person",
)
async def erase(name: str, user: Person, pool: ThePool) -> ErasedView:
    """By an admin. Tickets, leases and all rows stay, under a pseudonym that leads to nobody any more.

    It can't be undone. While the person waits or holds something, the answer is 409.
    """
    needs(user, ADMIN)
    erased = await erase_person(pool.desk, name, user.name)
    return ErasedView(pseudonym=erased.pseudonym, tickets=erased.tickets, leases=erased.leases)
