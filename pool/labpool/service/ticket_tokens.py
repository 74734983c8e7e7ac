"""Tokens that let one ticket's server, and nothing else, claim the ticket and read its notices."""

from __future__ import annotations

import hashlib
import hmac


class TicketTokens:
    """Makes and checks tokens with the pool's own key; they need no table and hold for the ticket's life.

    A token is HMAC-SHA256 (RFC 2104) of the ticket's id and attempt.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, ticket: str, attempt: int) -> str:
        """The token of one attempt of a ticket."""
        return hmac.new(self._key, f"{ticket}/{attempt}".encode(), hashlib.sha256).hexdigest()

    def fits(self, token: str, ticket: str, attempt: int) -> bool:
        """Whether `token` is the one of this attempt of this ticket."""
        return hmac.compare_digest(self.token(ticket, attempt).encode(), token.encode())
