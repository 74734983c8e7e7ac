"""The part of pool.yaml on how notices reach people. Meaning, bounds and examples of its keys stand here."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from labpool.settings.section import Section

_HOST_PORT = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?:[1-9][0-9]{0,4}$"
_ADDRESS = r"^[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,189}$"
_URL = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?$"
NOTICE_PATTERNS_IN_WORDS = {
    _HOST_PORT: "a host name and a port, such as ci.lab.internal:8080",
    _ADDRESS: "an e-mail address",
    _URL: "an address that begins with https:// or http://",
}

HostPort: TypeAlias = Annotated[str, Field(pattern=_HOST_PORT, examples=["ci.lab.internal:8080"])]


class EmailSection(Section):
    """The mail server that notices go out by. Its password stands in no file of the configuration."""

    host: str = Field(
        min_length=1, max_length=253, description="Name of the mail server (SMTP).", examples=["mail.example.org"]
    )
    port: int = Field(587, ge=1, le=65535, description="Its port.", examples=[587])
    tls: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="starttls: encrypted after the greeting, as on port 587; tls: from the start, as on port 465; "
        "none: not at all, for a server on this machine.",
        examples=["starttls"],
    )
    sender: str = Field(
        pattern=_ADDRESS, description="Address that mails come from.", examples=["gpu-pool@example.org"]
    )
    user: str = Field(
        "",
        max_length=255,
        description="User name at the mail server; empty: no sign-in. The password is LABPOOL_SMTP_PASSWORD in the "
        "pool's environment, or the file smtp_password among the data folder's secrets.",
        examples=["gpu-pool"],
    )


class NoticesSection(Section):
    """How notices reach people who are not looking."""

    public_url: str | None = Field(
        None,
        pattern=_URL,
        description="Where people find the hub, for the links in mails. Left out: on this machine.",
        examples=["https://hub.example.org"],
    )
    email: EmailSection | None = Field(None, description="The mail server. Left out: no notice goes out by e-mail.")
    webhook_hosts: list[HostPort] = Field(
        [],
        max_length=100,
        description="Hosts that webhooks may call though they are inside the lab's network or without encryption, each "
        "with its port. All others must be reached by https at a public address.",
        examples=[["ci.lab.internal:8080"]],
    )
