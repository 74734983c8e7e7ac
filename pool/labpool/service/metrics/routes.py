"""Where Prometheus reads."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from labpool.api_models import Problem
from labpool.service.access import METRICS, Person, ThePool, needs
from labpool.service.metrics.standing import exposition

routes = APIRouter(tags=["health"])


@routes.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}}, "description": "Prometheus' text format."},
        401: {"model": Problem},
        403: {"model": Problem},
    },
    summary="Metrics for Prometheus",
)
async def metrics(user: Person, pool: ThePool) -> Response:
    """How the pool stands, and what was counted since its start; no label holds a user's name."""
    needs(user, METRICS)
    return Response(await exposition(pool), media_type=CONTENT_TYPE_LATEST)
