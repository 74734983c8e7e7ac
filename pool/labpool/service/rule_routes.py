"""The API for admins who change the rules: overrides, and pool.yaml read again."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Query, status

from labpool.api_models import OverrideAsked, OverrideView, Problem, ReloadView
from labpool.service.access import Admin, ThePool
from labpool.service.file_keeper import note_file
from labpool.service.overriding import end_override, override, override_view

_LOG = logging.getLogger(__name__)
_Responses = dict[int | str, dict[str, Any]]  # as FastAPI has it
_REFUSALS: _Responses = {code: {"model": Problem} for code in (401, 403)}
_MADE: _Responses = _REFUSALS | {409: {"model": Problem}}

routes = APIRouter(tags=["rules"])


@routes.get("/overrides", responses=_REFUSALS, summary="Rules that differ from pool.yaml's")
async def overrides(user: Admin, pool: ThePool) -> list[OverrideView]:
    """Each with the file's value beside it: who, when, why and until when."""
    known = await pool.desk.view(lambda view: view.acts().overrides)
    return [override_view(pool.desk, each) for each in known]


@routes.post("/overrides", status_code=status.HTTP_201_CREATED, responses=_MADE, summary="Change a rule")
async def make_override(asked: OverrideAsked, user: Admin, pool: ThePool) -> OverrideView:
    """In place of the file's value, and of an override of the same rule. Lowering one ends no lease.

    Where promises would break the answer is a 409 that says how many: send the same again with these numbers as
    `confirm` to accept that.
    """
    made = await override(pool.desk, asked, user)
    pool.reconciler.look_soon()
    return override_view(pool.desk, made)


@routes.delete(
    "/overrides/{override}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_MADE | {404: {"model": Problem}},
    summary="Let the file's value hold again",
)
async def unmake_override(
    override: str, user: Admin, pool: ThePool, broken: Annotated[int, Query(ge=0, le=1_000_000)] = 0
) -> None:
    """Although up to `broken` promises break; where more would, the answer is a 409 that says how many."""
    await end_override(pool.desk, override, broken, user)
    pool.reconciler.look_soon()


@routes.post("/reload", responses=_REFUSALS, summary="Read pool.yaml again now")
async def reload(user: Admin, pool: ThePool) -> ReloadView:
    """It is read by itself within seconds; this says at once what came of it. A broken file changes nothing."""
    await pool.reconciler.look()
    watched = pool.pool_file
    in_use = watched.current(_LOG)
    await note_file(pool.desk, user.name, "reloaded", watched.errors)
    return ReloadView(path=str(in_use.path), sha256=in_use.sha256, valid=not watched.errors, errors=watched.errors)
