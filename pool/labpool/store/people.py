"""People and their pseudonyms. Ledger, audit trail and log know pseudonyms only; the key is a table of its own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping

from sqlalchemy.engine import Connection

from labpool.store import writing
from labpool.store.kept import Kept
from labpool.store.models import PersonRow

_PSEUDONYM = re.compile(r"\bp-[0-9a-f]{16}\b")


def new_pseudonym() -> str:
    """A random one, such as p-5b1f0c9a77e3d240: nothing about the person can be worked out from it."""
    return f"p-{secrets.token_hex(8)}"


def pseudonym_of(connection: Connection, kept: Kept, name: str) -> str:
    """A person's pseudonym; the first time that the person is seen one is made and stored."""
    known = kept.pseudonyms.get(name)
    if known is None:
        known = kept.pseudonyms[name] = new_pseudonym()
        writing.add(connection, PersonRow, [{"name": name, "pseudonym": known}])
    return known


def hidden_in(text: str, names: Iterable[str], pseudonyms: Mapping[str, str]) -> str:
    """`text` with each of `names` that stands in it as a word of its own replaced by its pseudonym."""
    for name in names:
        if name in text:
            text = word(name).sub(pseudonyms[name], text)
    return text


def shown_in(text: str, names: Mapping[str, str]) -> str:
    """`text` with the names of the pseudonyms in it, as far as `names` knows them."""
    return _PSEUDONYM.sub(lambda found: names.get(found[0], found[0]), text)


def word(name: str) -> re.Pattern[str]:
    """Finds `name` where it is no part of a longer word."""
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
