"""Asking an admin before something that does harm: in words, and as numbers to be confirmed."""

from __future__ import annotations

from labpool.api_models import Confirmation
from labpool.domain.reserving import Consequences
from labpool.domain.words import count, listed
from labpool.hub_signin import Refusal


def covers(confirmed: Confirmation | None, found: Consequences) -> bool:
    """Whether an admin accepted at least this much."""
    if confirmed is None:
        return False
    return confirmed.broken >= len(found.broken) and confirmed.missing >= found.missing


def harm_in_words(found: Consequences) -> str:
    """What would come of it, such as "2 promises would break"."""
    broken = [f"{count(len(found.broken), 'promise')} would break"] if found.broken else []
    missing = [f"{count(found.missing, 'GPU')} would still be in use"] if found.missing else []
    return listed([*broken, *missing])


def numbers(found: Consequences) -> Confirmation:
    """What an admin is to confirm."""
    return Confirmation(broken=len(found.broken), missing=found.missing)


def question(confirmed: Confirmation | None, found: Consequences) -> Refusal | None:
    """What an admin is asked first; None where nothing is harmed, or just that was confirmed."""
    if found.harmless or covers(confirmed, found):
        return None
    wanted = numbers(found)
    remedy = f"Send it again with confirm {wanted.model_dump_json()} to accept that."
    return Refusal(409, "does_harm", "Not done", f"{harm_in_words(found)}.", remedy, confirm=wanted)


def accepted(found: Consequences) -> str:
    """What the audit trail says of harm that was confirmed."""
    return "" if found.harmless else f"; accepted although {harm_in_words(found)}"
