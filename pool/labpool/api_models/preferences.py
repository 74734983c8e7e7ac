"""How somebody wants to be told: what is asked for, and what is shown."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from labpool.domain.notices import NoticeKind

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


class PreferencesAsked(BaseModel):
    """All of one's preferences; what is left out is switched off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: str = Field("", max_length=254, description="Where mails go once it is confirmed; empty: none.")
    email_kinds: frozenset[NoticeKind] = Field(frozenset(), description="What is sent by e-mail.")
    webhook_url: str = Field("", max_length=2000, description="What is called, by https; empty: nothing.")
    webhook_kinds: frozenset[NoticeKind] = Field(frozenset(), description="What it is called for.")
    quiet_from: str | None = Field(None, pattern=_CLOCK, description='No mail from here on, such as "22:00".')
    quiet_to: str | None = Field(None, pattern=_CLOCK, description='To here, such as "07:00": it is sent then.')
    timezone: str = Field("UTC", max_length=255, description="By whose clocks: an IANA zone, such as Europe/Berlin.")


class PreferencesView(BaseModel):
    """One's preferences. The webhook's secret is never among them."""

    model_config = ConfigDict(frozen=True)

    email: str = Field(description="The confirmed address; empty: none.")
    unconfirmed: str = Field(description="An address that waits for its owner to follow the link in a mail.")
    email_kinds: frozenset[NoticeKind]
    webhook_url: str
    webhook_kinds: frozenset[NoticeKind]
    quiet_from: str | None
    quiet_to: str | None
    timezone: str
    sends_mail: bool = Field(description="Whether this pool has a mail server.")


class PreferencesSaved(PreferencesView):
    """What was saved."""

    webhook_secret: str | None = Field(None, description="What calls are signed with, where it is new: shown just now.")


class AddressConfirmed(BaseModel):
    """What the link in a mail carries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: str = Field(max_length=200)
