"""The API for admins: who holds what, and what is taken out of service."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, status

from labpool.api_models import DeviceView, DrainAsked, FenceAsked, GrantAsked, Problem, TicketView, WithdrawalView
from labpool.domain.withdrawals import Withdrawal
from labpool.service.access import Admin, ThePool
from labpool.service.by_admin import let_start
from labpool.service.device_views import devices_of
from labpool.service.withdrawing import drain, fence, undrain

_Responses = dict[int | str, dict[str, Any]]  # as FastAPI has it
_REFUSALS: _Responses = {code: {"model": Problem} for code in (401, 403)}
_MADE: _Responses = _REFUSALS | {409: {"model": Problem}}

routes = APIRouter(tags=["admin"])


@routes.get("/devices", responses=_REFUSALS, summary="All GPUs, and who holds which")
async def devices(user: Admin, pool: ThePool) -> list[DeviceView]:
    """In the order of machines."""
    return await devices_of(pool.desk)


@routes.get("/drains", responses=_REFUSALS, summary="What is out of service by an admin's word")
async def drains(user: Admin, pool: ThePool) -> list[WithdrawalView]:
    """Drained machines and GPUs and fenced machines: who, when, why and until when."""
    return [_view(each) for each in await pool.desk.view(lambda view: view.acts().withdrawals)]


@routes.post("/drains", status_code=status.HTTP_201_CREATED, responses=_MADE, summary="Drain a machine or a GPU")
async def make_drain(asked: DrainAsked, user: Admin, pool: ThePool) -> WithdrawalView:
    """Nothing new starts there from now on; what runs there runs to its end.

    Where promises would break the answer is a 409 that says how many: send the same again with these numbers as
    `confirm` to accept that.
    """
    made = await drain(pool.desk, asked, user)
    pool.reconciler.look_soon()
    return _view(made)


@routes.delete(
    "/drains/{drain}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_REFUSALS | {404: {"model": Problem}},
    summary="Put a drained machine or GPU into service again",
)
async def end_drain(drain: str, user: Admin, pool: ThePool) -> None:
    """Who waits may start there at once."""
    await undrain(pool.desk, drain, user)
    pool.reconciler.look_soon()


@routes.post("/fences", status_code=status.HTTP_201_CREATED, responses=_MADE, summary="Confirm that a machine is dead")
async def make_fence(asked: FenceAsked, user: Admin, pool: ThePool) -> WithdrawalView:
    """For a silent machine on which nothing of before can run any more: switched off, say.

    Its leases are settled at once, and those who want to are in line again. It serves again once it answers.
    """
    made = await fence(pool.desk, asked, user)
    pool.reconciler.look_soon()
    return _view(made)


@routes.post(
    "/tickets/{ticket}/grant",
    responses=_MADE | {404: {"model": Problem}},
    summary="Let a waiting ticket start at once, ahead of all others",
)
async def grant(ticket: str, asked: GrantAsked, user: Admin, pool: ThePool) -> TicketView:
    """Leases, reservations, limits, shares and budgets stand; places and promises of others may be overtaken.

    Where promises would break the answer is a 409 that says how many: send the same again with these numbers as
    `confirm` to accept that.
    """
    await let_start(pool.desk, ticket, asked.confirm, asked.why, user)
    pool.reconciler.look_soon()
    return await pool.viewer.ticket(ticket)


def _view(withdrawal: Withdrawal) -> WithdrawalView:
    return WithdrawalView(**asdict(withdrawal) | {"act": withdrawal.act.value})
