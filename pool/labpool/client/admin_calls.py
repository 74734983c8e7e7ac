"""Calls that only admins may make."""

from __future__ import annotations

from pydantic import TypeAdapter

from labpool.api_models import (
    AuditAsked,
    AuditPage,
    DeviceView,
    DrainAsked,
    FenceAsked,
    GrantAsked,
    OverrideAsked,
    OverrideView,
    ReloadView,
    TicketView,
    WithdrawalView,
)
from labpool.client.wire import Call, nothing, segment

_DEVICES: TypeAdapter[list[DeviceView]] = TypeAdapter(list[DeviceView])
_WITHDRAWALS: TypeAdapter[list[WithdrawalView]] = TypeAdapter(list[WithdrawalView])
_OVERRIDES: TypeAdapter[list[OverrideView]] = TypeAdapter(list[OverrideView])


def grant(ticket: str, asked: GrantAsked) -> Call[TicketView]:
    """Ask for a ticket's start ahead of all others."""
    return Call("POST", f"/api/v1/tickets/{segment(ticket)}/grant", TicketView.model_validate_json, body=asked)


def devices() -> Call[list[DeviceView]]:
    """Ask who holds what."""
    return Call("GET", "/api/v1/devices", _DEVICES.validate_json)


def drains() -> Call[list[WithdrawalView]]:
    """Ask what is out of service by an admin's word."""
    return Call("GET", "/api/v1/drains", _WITHDRAWALS.validate_json)


def drain(asked: DrainAsked) -> Call[WithdrawalView]:
    """Take a machine or a GPU out of service."""
    return Call("POST", "/api/v1/drains", WithdrawalView.model_validate_json, body=asked)


def undrain(drain: str) -> Call[None]:
    """Put one back."""
    return Call("DELETE", f"/api/v1/drains/{segment(drain)}", nothing)


def fence(asked: FenceAsked) -> Call[WithdrawalView]:
    """Confirm that a machine is dead."""
    return Call("POST", "/api/v1/fences", WithdrawalView.model_validate_json, body=asked)


def overrides() -> Call[list[OverrideView]]:
    """Ask which rules are not the file's."""
    return Call("GET", "/api/v1/overrides", _OVERRIDES.validate_json)


def override(asked: OverrideAsked) -> Call[OverrideView]:
    """Change a rule."""
    return Call("POST", "/api/v1/overrides", OverrideView.model_validate_json, body=asked)


def end_override(override: str, broken: int) -> Call[None]:
    """Let the file's value hold again."""
    return Call("DELETE", f"/api/v1/overrides/{segment(override)}", nothing, query={"broken": [str(broken)]})


def audit(about: AuditAsked) -> Call[AuditPage]:
    """Ask for a page of the audit trail."""
    query = {key: [str(value)] for key, value in about.model_dump(exclude_none=True).items()}
    return Call("GET", "/api/v1/audit", AuditPage.model_validate_json, query=query)


def reload() -> Call[ReloadView]:
    """Have pool.yaml read again."""
    return Call("POST", "/api/v1/reload", ReloadView.model_validate_json)
