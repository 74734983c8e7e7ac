"""Notices and questions as mails: plain words, plain text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from email.message import EmailMessage
from email.utils import format_datetime

from labpool.domain.notices import NoticeKind
from labpool.domain.tickets import Ticket
from labpool.domain.words import clock, server
from labpool.service.spoken_times import in_zone
from labpool.store import Delivery, Notice

_SUBJECTS = {
    NoticeKind.NEAR: "Your turn is near",
    NoticeKind.LIKELY_CHANGED: "Your turn likely comes at another time",
    NoticeKind.GRANTED: "It is your turn: your GPUs are here",
    NoticeKind.ENDING: "Your GPU hours end soon",
    NoticeKind.TAKEN_BACK: "The GPUs that you borrowed go back",
    NoticeKind.REQUEUED: "You are in line for GPUs again",
    NoticeKind.UNCLAIMED: "GPUs were kept for you and not used",
    NoticeKind.LOST: "The machine of your GPUs is gone; you are in line again",
    NoticeKind.PROMISE_BROKEN: "Your GPUs come later than you were told",
    NoticeKind.EXTENDED: "Your GPU hours were extended",
}


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What stands on every mail: whom it is from, and the address of the pool's pages without a slash at the end."""

    sender: str
    pages: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a mail is for."""

    address: str
    zone: tzinfo


def notice_letter(head: Letterhead, to: Reader, delivery: Delivery, notice: Notice, ticket: Ticket) -> EmailMessage:
    """A notice as a mail, with the address of its ticket; its times are those of the reader's clocks."""
    kind = NoticeKind(notice.kind)
    ends = _end(kind, notice)
    body = [
        f"Hello {ticket.user},",
        in_zone(" ".join(filter(None, [notice.message, ends])), notice.at, to.zone),
        f"This is about {server(ticket.name)} in the project {ticket.project}. "
        "How it stands now, and what you can do:\n"
        f"{head.pages}/tickets/{ticket.id}",
    ]
    return _letter(head, to.address, _SUBJECTS[kind], body, delivery, notice.at)


def confirmation_letter(head: Letterhead, to: str, delivery: Delivery, token: str) -> EmailMessage:
    """The question whether an address is the user's own."""
    body = [
        f"Hello {delivery.user},",
        "you asked the GPU pool to send its notices to this address. Please confirm that it is yours, within a day:\n"
        f"{head.pages}/preferences?confirm={token}",
        "If you did not ask for that, do nothing: nothing else is sent to this address.",
    ]
    return _letter(head, to, "Confirm your address for notices of the GPU pool", body, delivery, delivery.made_at)


def _end(kind: NoticeKind, notice: Notice) -> str:
    if notice.ends_at is None or kind is NoticeKind.GRANTED:  # whose message names it
        return ""
    return f"They end at {clock(notice.ends_at, timezone.utc, notice.at)}."


def _letter(
    head: Letterhead, to: str, subject: str, body: list[str], delivery: Delivery, written: datetime
) -> EmailMessage:
    """A mail that says of itself that a program wrote it (RFC 3834), and that is the same at each try."""
    settings = f"{head.pages}/preferences"
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = head.sender, to, subject
    letter["Date"] = format_datetime(written)
    letter["Message-ID"] = f"<{delivery.id}@{head.sender.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter["List-Unsubscribe"] = f"<{settings}>"
    stop = f"-- \nYou get this because you chose so. Change that, or stop these mails: {settings}"
    letter.set_content("\n\n".join([*body, stop]) + "\n")
    return letter
