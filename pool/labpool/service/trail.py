"""The audit trail, written to the store and to the log in the same words."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from labpool.domain.overrides import Override
from labpool.domain.tickets import Ticket
from labpool.store import AuditEntry, Transaction
from labpool.store.people import word

_LOG = logging.getLogger("labpool.audit")


def note(change: Transaction, at: datetime, actor: str, event: str, ticket: str | None, detail: str = "") -> None:
    """Add a row to the audit trail, and a line to the log: people with their pseudonyms, parts of labpool as `Part`."""
    written = change.audit(AuditEntry(at, actor, event, ticket, detail))
    _LOG.info(event, extra={"actor": written.actor, "ticket": ticket, "detail": written.detail})


def as_noted(change: Transaction, override: Override) -> Override:
    """An override as the trail may tell of it: of a person's limit, with the pseudonym."""
    return replace(override, name=change.pseudonym(override.name)) if override.rule.of_user else override


def unnamed(error: Exception, ticket: Ticket) -> str:
    """What an error says, for the log: without the name of the ticket's user, who is found by the ticket."""
    return word(ticket.user).sub("its user", str(error))
