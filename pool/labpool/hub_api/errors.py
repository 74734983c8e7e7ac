"""What can go wrong when asking the hub."""

from __future__ import annotations


class HubError(Exception):
    """Base of the hub client's errors."""


class HubUnavailable(HubError):
    """The hub gave no usable answer: not running, restarting or failing inside. Asking again later is right."""


class HubRefused(HubError):
    """The hub said no. `status` is its HTTP status; `reason` is our spawner's word for why, if it was asked."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(f"the hub refused with status {status}: {message}")
        self.status = status
        self.message = message
        self.reason = reason
