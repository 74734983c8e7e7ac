"""The API for GPU-hours."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from labpool.api_models import Problem, UsageView
from labpool.service.access import READ, Person, ThePool, needs
from labpool.service.usage import as_csv, usage_of, window_asked
from labpool.store.usage import By

CSV = "text/csv"
_Responses = dict[int | str, dict[str, Any]]  # as FastAPI has it
_ANSWERS: _Responses = {code: {"model": Problem} for code in (401, 403, 422)}
_ANSWERS |= {200: {"content": {CSV: {"schema": {"type": "string"}}}, "description": "The sums, as JSON or CSV."}}

routes = APIRouter(prefix="/usage", tags=["usage"])


@routes.get("", responses=_ANSWERS, response_model=UsageView, summary="GPU-hours used, held and overrun")
async def usage(
    user: Person,
    pool: ThePool,
    request: Request,
    first: Annotated[
        str | None,
        Query(
            alias="from",
            max_length=40,
            description="Date or time; default: when this month (by term: this term) began.",
        ),
    ] = None,
    last: Annotated[
        str | None, Query(alias="to", max_length=40, description="Date or time, not included; default: its end.")
    ] = None,
    by: Annotated[By, Query(description="What to sum up by.")] = By.PROJECT,
) -> UsageView | Response:
    """One's own; of projects that one owns everybody's; all for an admin. CSV where that is what is accepted.

    A run counts with its part in that time; days in none of pool.yaml's terms are told as such. Times without an offset
    are those of the pool's time zone.
    """
    needs(user, READ)
    found = await usage_of(pool.desk, user, window_asked(pool.desk, first, last, by), by)
    if CSV in request.headers.get("Accept", ""):
        return Response(as_csv(found), media_type=CSV)
    return found
