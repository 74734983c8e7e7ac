"""How one try to send ends."""

from __future__ import annotations


class NotSent(Exception):
    """This try failed, a later one may not; the message says what happened."""


class NeverSent(NotSent):
    """No later try can go better: the other side refused for good."""
