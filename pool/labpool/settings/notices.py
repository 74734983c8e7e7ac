"""How notices leave the pool: the mail server, where people find the hub, and whom webhooks may call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labpool.settings.notice_sections import NoticesSection
from labpool.settings.place import Place, UnusablePlace

SMTP_PASSWORD = "LABPOOL_SMTP_PASSWORD"  # noqa: S105 (the name of a variable)
_PASSWORD_FILE = "smtp_password"  # noqa: S105 (the name of a file)


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server that takes mails. `tls`: starttls, tls or none; `user` is empty where one need not sign in."""

    host: str
    port: int
    tls: str
    sender: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """What pool.yaml says of notices. `public_url` has no slash at the end; empty: the hub of this machine.

    `webhook_hosts` are "host:port" in lower case.
    """

    public_url: str = ""
    mail: MailServer | None = None
    webhook_hosts: frozenset[str] = field(default_factory=frozenset)


def notice_settings(section: NoticesSection) -> NoticeSettings:
    """The section of pool.yaml as the service needs it."""
    email = section.email
    mail = MailServer(email.host, email.port, email.tls, email.sender, email.user) if email else None
    hosts = frozenset(host.lower() for host in section.webhook_hosts)
    return NoticeSettings((section.public_url or "").rstrip("/"), mail, hosts)


def mail_password(environ: Mapping[str, str], place: Place) -> str:
    """The mail server's password: from the environment, else from the data folder's secrets; empty where there is none.

    Raises:
        UnusablePlace: its file is there and can't be read.
    """
    path = place.secrets / _PASSWORD_FILE
    if environ.get(SMTP_PASSWORD) or not path.exists():
        return environ.get(SMTP_PASSWORD, "")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnusablePlace(f"Can't read the mail server's password from {path}: {error}") from error
