"""The API's description: FastAPI's own, with our errors as they really come."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from labpool.api_models import PROBLEM_MEDIA_TYPE

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_NOT_OURS = ("HTTPValidationError", "ValidationError")
_QUEUED = "By a pool that stands by while none decides: kept, and carried out later. Location says where to look."
_ANYWHERE = {
    "429": "Too many requests from one person: try again after Retry-After seconds.",
    "503": "The hub can't be asked who this is, or the pool is just starting: try again after Retry-After seconds.",
}
_WITH_A_BODY = {
    "400": "The body can not be read at all.",
    "413": "The request is too large.",
    "422": "Something in the request is not valid; `detail` names it.",
}


def describe(app: FastAPI) -> None:
    """Let `app` describe itself with problem details (RFC 9457) wherever it answers with an error."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way that FastAPI documents


def _described(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "/api/" in path or path.endswith("/metrics"):
                _add_problems(operation)
            if "/api/" in path and method != "get" and not path.endswith("/claim"):
                _add_queued(operation)
    for name in _NOT_OURS:
        document["components"]["schemas"].pop(name, None)
    return document


def _add_queued(operation: dict[str, Any]) -> None:
    response = operation["responses"].setdefault("202", {"description": _QUEUED})
    content = response.setdefault("content", {}).setdefault("application/json", {})
    own = content.get("schema")
    queued = {"$ref": "#/components/schemas/Queued"}
    content["schema"] = {"anyOf": [own, queued]} if own else queued


def _add_problems(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    added = _ANYWHERE | (_WITH_A_BODY if "requestBody" in operation else {})
    for status, description in added.items():
        responses.setdefault(status, {})["description"] = description
    for status, response in responses.items():
        if int(status) >= 400:
            response["content"] = {PROBLEM_MEDIA_TYPE: {"schema": _PROBLEM}}
