"""Secrets in files: made once, the same for every process that reads them, readable by their owner only."""

from __future__ import annotations

import os
import secrets
import string
from pathlib import Path

SECRETS = (
    "hub_cookie",
    "proxy_token",
    "pool_token",
    "logs_token",
    "spawner_token",
    "supervisor_token",
    "operator_token",
    "ticket_key",
    "signin_key",
    "demo_password",
)

_LEAST = 12
_LETTERS = "".join(sorted(set(string.ascii_lowercase) - set("ilo")))


class UnusableSecret(Exception):
    """A secret's file holds too little to be one."""


def read_or_create(path: Path) -> str:
    """The secret in `path`, made where the file is missing. Two processes that start together get the same one.

    Keys and tokens are 64 hexadecimal digits (256 bits), passwords 16 letters in groups of four (72 bits).

    Raises:
        OSError: the file can't be read or written.
        UnusableSecret: the file holds less than 12 characters.
    """
    if not path.exists():
        _create(path)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if len(text) < _LEAST:
        raise UnusableSecret(
            f"{path} holds {len(text)} characters; expected {_LEAST} or more. Delete the file: a new secret is made, "
            "and what was signed with the old one is void."
        )
    return text


def _create(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(_new_secret(path.name))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # fails where another process was first: its secret stands
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _new_secret(name: str) -> str:
    if name.endswith("_password"):
        return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
    return secrets.token_hex(32)
