"""What an address below the prefix names, read from the path as the browser sent it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_NAME = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,127}")
_DOT_SEGMENTS = {b".", b".."}


@dataclass(frozen=True, slots=True)
class FrontPage:
    """The list of one's own projects."""


@dataclass(frozen=True, slots=True)
class UserFolder:
    """A user's address without a project."""

    user: str


@dataclass(frozen=True, slots=True)
class ProjectAddress:
    """A project, and what of its TensorBoard is asked for.

    Attributes:
        user: the owner's name, safe as a folder's name.
        project: the project's name, safe as a folder's name.
        rest: what follows the project, percent-encoded as it came; "" is TensorBoard's page, None lacks the slash.
    """

    user: str
    project: str
    rest: str | None


@dataclass(frozen=True, slots=True)
class NoAddress:
    """Nothing can be at this address, whoever asks."""


Address = FrontPage | UserFolder | ProjectAddress | NoAddress


def read_address(raw_path: bytes, prefix: str) -> Address:
    """Read an undecoded path.

    It is cut at its slashes first and decoded afterwards, each part once: so `%2F` never becomes a slash, and what was
    encoded twice keeps a `%`, which no name may contain.
    """
    below = prefix.encode()
    if raw_path in {below, below.rstrip(b"/")}:
        return FrontPage()
    if not raw_path.startswith(below):
        return NoAddress()
    return _below_the_prefix(raw_path[len(below) :].split(b"/"))


def _below_the_prefix(parts: list[bytes]) -> Address:
    match parts:
        case [user] | [user, b""]:
            address: Address = UserFolder(_folder_name(user))
        case [user, project]:
            address = ProjectAddress(_folder_name(user), _folder_name(project), None)
        case [user, project, *rest] if not any(_is_unsafe(part) for part in rest):
            address = ProjectAddress(_folder_name(user), _folder_name(project), b"/".join(rest).decode("latin-1"))
        case _:
            return NoAddress()
    return address if _is_named(address) else NoAddress()


def _is_named(address: Address) -> bool:
    match address:
        case UserFolder(user):
            return bool(user)
        case ProjectAddress(user, project):
            return bool(user and project)
        case _:
            return False


def is_folder_name(name: str) -> bool:
    """Say whether a user or a project of this name can have an address here."""
    return _NAME.fullmatch(name.encode()) is not None


def _folder_name(part: bytes) -> str:
    decoded = unquote_to_bytes(part)
    return decoded.decode("ascii") if _NAME.fullmatch(decoded) else ""


def _is_unsafe(part: bytes) -> bool:
    decoded = unquote_to_bytes(part)
    return decoded in _DOT_SEGMENTS or b"/" in decoded or b"\\" in decoded or b"\0" in decoded
