"""What is sent to whom: the pool's post office."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone

from labpool.domain.leases import Lease
from labpool.domain.notices import NoticeKind, still_true
from labpool.domain.quiet_hours import QuietHours
from labpool.domain.tickets import Ticket
from labpool.service.desk import Desk
from labpool.service.sending.attempts import NotSent
from labpool.service.sending.forgetting import keep_forgetting
from labpool.service.sending.letters import Letterhead, Reader, confirmation_letter, notice_letter
from labpool.service.sending.mailing import send_mail
from labpool.service.sending.round import PutOff, Round
from labpool.service.sending.webhooks import call, payload, signed_headers
from labpool.settings import MailServer, NoticeSettings
from labpool.settings.time_zones import zone_named
from labpool.store import Delivery, Notice, Outcome, Preferences, Transaction, Way

CONFIRM_WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Known:
    """What a delivery is judged by at the moment of sending."""

    preferences: Preferences
    ticket: Ticket | None
    lease: Lease | None


class Post:
    """Sends what lies in the outbox by e-mail and webhook.

    Args:
        desk: Where the outbox and the preferences are, and the clock.
        settings: What pool.yaml says of notices now, with a public address.
        password: The mail server's password now; empty where there is none.
        key: The pool's own key; what users confirm their addresses with is made from it.
    """

    def __init__(
        self, desk: Desk, settings: Callable[[], NoticeSettings], password: Callable[[], str], key: bytes
    ) -> None:
        self.settings = settings
        self._desk, self._password, self._key = desk, password, key
        self._rounds = (Round(desk, Way.EMAIL, self._mail), Round(desk, Way.WEBHOOK, self._call))

    @property
    def pages(self) -> str:
        """Public address of the pool's pages, without a slash at the end."""
        return f"{self.settings().public_url}/services/pool"

    async def run(self) -> None:
        """Send, and forget what was sent long ago, until cancelled."""
        works = (*(each.run() for each in self._rounds), keep_forgetting(self._desk))
        rounds = [asyncio.create_task(each) for each in works]
        try:
            await asyncio.gather(*rounds)
        finally:
            for each in rounds:
                each.cancel()
                with suppress(asyncio.CancelledError):
                    await each

    def confirmation_token(self, preferences: Preferences) -> str:
        """What confirms the address that waits for it: HMAC-SHA256 of user, address and time of asking."""
        asked_at = preferences.asked_at.isoformat() if preferences.asked_at else ""
        asked = f"confirm\0{preferences.user}\0{preferences.unconfirmed}\0{asked_at}"
        return hmac.new(self._key, asked.encode(), hashlib.sha256).hexdigest()

    async def _mail(self, delivery: Delivery) -> Outcome:
        server = self.settings().mail
        known = await self._desk.view(lambda view: _known(view, delivery))
        if server is None:
            raise NotSent("pool.yaml names no mail server (notices.email)")
        if delivery.notice is None:
            return await self._ask_to_confirm(delivery, known.preferences, server)
        self._mind_quiet_hours(known.preferences)
        if known.ticket is None or not self._wanted(delivery.notice, known, Way.EMAIL):
            return Outcome.UNWANTED
        head, zone = Letterhead(server.sender, self.pages), zone_named(known.preferences.zone) or timezone.utc
        reader = Reader(known.preferences.email, zone)
        letter = notice_letter(head, reader, delivery, delivery.notice, known.ticket)
        await send_mail(letter, server, self._password())
        return Outcome.SENT

    async def _ask_to_confirm(self, delivery: Delivery, preferences: Preferences, server: MailServer) -> Outcome:
        if not preferences.unconfirmed or preferences.asked_at != delivery.made_at:
            return Outcome.UNWANTED  # another address was given since
        token, head = self.confirmation_token(preferences), Letterhead(server.sender, self.pages)
        await send_mail(confirmation_letter(head, preferences.unconfirmed, delivery, token), server, self._password())
        return Outcome.SENT

    async def _call(self, delivery: Delivery) -> Outcome:
        known, notice = await self._desk.view(lambda view: _known(view, delivery)), delivery.notice
        if notice is None or known.ticket is None or not self._wanted(notice, known, Way.WEBHOOK):
            return Outcome.UNWANTED
        body, chosen = payload(notice, known.ticket, self.pages), known.preferences
        headers = signed_headers(chosen.webhook_secret, delivery.id, self._desk.clock(), body)
        await call(chosen.webhook_url, headers, body, self.settings().webhook_hosts)
        return Outcome.SENT

    def _wanted(self, notice: Notice, known: _Known, way: Way) -> bool:
        if known.ticket is None or way not in known.preferences.ways(notice.kind):
            return False
        now = self._desk.clock()
        return still_true(NoticeKind(notice.kind), notice.ends_at, known.ticket, known.lease, now)

    def _mind_quiet_hours(self, preferences: Preferences) -> None:
        until = quiet_until(preferences, self._desk.clock())
        if until is not None:
            raise PutOff(until)


def quiet_until(preferences: Preferences, now: datetime) -> datetime | None:
    """When the quiet hours that are on now are over; None outside of them, and for who has none."""
    zone = zone_named(preferences.zone)
    if not (preferences.quiet_from and preferences.quiet_to and zone):
        return None
    start, end = time.fromisoformat(preferences.quiet_from), time.fromisoformat(preferences.quiet_to)
    return QuietHours(start, end, zone).until(now)


def _known(view: Transaction, delivery: Delivery) -> _Known:
    preferences, about = view.preferences.of(delivery.user), delivery.notice.ticket if delivery.notice else None
    if about is None:
        return _Known(preferences, None, None)
    return _Known(preferences, view.ticket(about), view.lease_of(about))
