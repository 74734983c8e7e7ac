"""The calls about how one wants to be told."""

from __future__ import annotations

from labpool.api_models import AddressConfirmed, PreferencesAsked, PreferencesSaved, PreferencesView
from labpool.client.wire import Call

_PREFERENCES = "/api/v1/me/preferences"


def preferences() -> Call[PreferencesView]:
    """Ask how one is told."""
    return Call("GET", _PREFERENCES, PreferencesView.model_validate_json)


def save_preferences(asked: PreferencesAsked) -> Call[PreferencesSaved]:
    """Say how one wants to be told."""
    return Call("PUT", _PREFERENCES, PreferencesSaved.model_validate_json, body=asked)


def ask_confirmation() -> Call[PreferencesView]:
    """Have the mail that confirms an address sent again."""
    return Call("POST", f"{_PREFERENCES}/email/ask", PreferencesView.model_validate_json)


def confirm_address(link: AddressConfirmed) -> Call[PreferencesView]:
    """Confirm an address."""
    return Call("POST", f"{_PREFERENCES}/email/confirm", PreferencesView.model_validate_json, body=link)


def renew_webhook_secret() -> Call[PreferencesSaved]:
    """Have a new secret for the webhook."""
    return Call("POST", f"{_PREFERENCES}/webhook/secret", PreferencesSaved.model_validate_json)
