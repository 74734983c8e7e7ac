"""Tokens that let one ticket's server, and nothing else, claim the ticket and read its notices."""

from __future__ import annotations

import hashlib
import hmac

from labpool.domain.tickets import Ticket


class TicketTokens:
    """Makes and checks tokens with the pool's own key; they need no table and hold for the ticket's life.

    A token is HMAC-SHA256 (RFC 2104) of the ticket's id and of which start it is: each grant has another.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, ticket: Ticket) -> str:
        """The token of a ticket's present grant."""
        grant = f"{ticket.id}/{ticket.attempt}/{ticket.unclaimed}"
        return hmac.new(self._key, grant.encode(), hashlib.sha256).hexdigest()

    def fits(self, token: str, ticket: Ticket) -> bool:
        """Whether `token` is the one of the ticket's present grant."""
        return hmac.compare_digest(self.token(ticket).encode(), token.encode())
