"""Telling a ticket's owner: the notice itself, and what of it goes out to where they want to read it."""

from __future__ import annotations

from labpool.domain.notices import NoticeKind, worth_sending
from labpool.store import Notice, Transaction


def tell(change: Transaction, notice: Notice) -> None:
    """Keep a notice, and put it into the outbox by each way that its reader chose; once, whoever tells it again."""
    number, ticket = change.add_notice(notice), change.ticket(notice.ticket)
    if number is None or ticket is None or not worth_sending(NoticeKind(notice.kind), ticket, notice.at):
        return
    for way in change.preferences.of(ticket.user).ways(notice.kind):
        change.outbox.post(ticket.user, way, notice.at, number)
