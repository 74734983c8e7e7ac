"""The API for who did what."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Annotated, Any

from fastapi import APIRouter, Query

from labpool.api_models import AuditAsked, AuditPage, AuditRowView, Problem
from labpool.domain.calendar import moment
from labpool.hub_signin import Refusal
from labpool.service.access import Admin, ThePool
from labpool.service.listing import not_a_cursor
from labpool.service.problems import Rejected
from labpool.store import AuditWanted

_LONGEST_NUMBER = 9  # digits: a row's number fits into 32 bits
_Responses = dict[int | str, dict[str, Any]]  # as FastAPI has it
_ANSWERS: _Responses = {code: {"model": Problem} for code in (401, 403, 422)}

routes = APIRouter(prefix="/audit", tags=["admin"])


@routes.get("", responses=_ANSWERS, summary="The audit trail, newest first")
async def audit(asked: Annotated[AuditAsked, Query()], user: Admin, pool: ThePool) -> AuditPage:
    """Every change of a ticket's state and every act of an admin; people under their names as far as they are known."""
    since = _time(asked.since, pool.desk.catalogue.zone) if asked.since is not None else None
    before = _number(asked.cursor) if asked.cursor is not None else None
    wanted = AuditWanted(asked.ticket, asked.actor, asked.event, since, asked.limit + 1, before)
    found = await pool.desk.view(lambda view: view.audit_rows(wanted))
    rows = tuple(AuditRowView(**row._asdict()) for row in found[: asked.limit])
    return AuditPage(rows=rows, cursor=str(rows[-1].number) if len(found) > asked.limit else None)


def _number(cursor: str) -> int:
    """The number of the last row of the page before."""
    if len(cursor) > _LONGEST_NUMBER or not (cursor.isascii() and cursor.isdecimal()):
        raise Rejected(not_a_cursor())
    return int(cursor)


def _time(text: str, zone: tzinfo) -> datetime:
    try:
        return moment(text, zone)
    except (ValueError, OverflowError) as error:
        remedy = "Write since like 2026-05-01 or 2026-05-01T08:00:00."
        raise Rejected(Refusal(422, "not_a_time", "No such time", f"{error}.", remedy)) from error
