"""Handing mails to the mail server (SMTP)."""

from __future__ import annotations

from email.message import EmailMessage

import aiosmtplib

from labpool.service.sending.attempts import NeverSent, NotSent
from labpool.settings import MailServer

TIMEOUT = 15.0
"""Seconds for each step of the talk with the mail server."""


async def send_mail(letter: EmailMessage, server: MailServer, password: str) -> None:
    """Hand one mail over; the server has it when this returns.

    Raises:
        NotSent: the server was not reached, or refused for now.
        NeverSent: it refused the mail or its recipient for good.
    """
    try:
        await aiosmtplib.send(
            letter,
            hostname=server.host,
            port=server.port,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
            username=server.user or None,
            password=password or None if server.user else None,
            timeout=TIMEOUT,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        _refused(letter, max(error.recipients, key=lambda each: each.code))
    except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
        _refused(letter, error)
    except (aiosmtplib.SMTPException, OSError) as error:
        raise NotSent(f"the mail server {server.host}:{server.port} did not take it: {error}") from error


def _refused(letter: EmailMessage, error: aiosmtplib.SMTPResponseException) -> None:
    """Codes from 500 on are for good (RFC 5321, 4.2.1). Servers like to repeat the address; it belongs in no log."""
    kind = NeverSent if error.code >= 500 else NotSent
    said = error.message.replace(letter["To"], "the address")
    raise kind(f"the mail server refused it with {error.code}: {said}") from error
