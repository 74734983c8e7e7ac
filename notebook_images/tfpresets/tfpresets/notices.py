"""What the lab says to this server: that its time ends, or that its GPUs are needed back."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tfpresets.environment import read_environment


class NoticeError(ValueError):
    """The notice file isn't what this package understands."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice: its kind ("ending", "reclaim", ...), when it was given, when the server ends, and a sentence."""

    kind: str
    at: datetime
    ends_at: datetime | None
    message: str


def notice() -> Notice | None:
    """Return the current notice of this server, or None if there is none; it only reads `$LABPOOL_RUNTIME/notice.json`.

    Raises:
        NoticeError: the file is there and can't be understood.
    """
    runtime = read_environment(os.environ).runtime
    return _read(runtime / "notice.json") if runtime else None


def _read(path: Path) -> Notice | None:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        ends_at = fields.get("ends_at")
        return Notice(
            kind=str(fields["kind"]),
            at=_moment(fields["at"]),
            ends_at=_moment(ends_at) if ends_at else None,
            message=str(fields["message"]),
        )
    except FileNotFoundError:
        return None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoticeError(
            f"{path} can't be read as a notice ({error!r}); expected JSON with kind, at, ends_at and message. "
            "Look at your hub's page for the time that is left."
        ) from error


def _moment(text: str) -> datetime:
    """Parse ISO 8601; Python 3.10 doesn't know that a final Z means UTC."""
    return datetime.fromisoformat(text.removesuffix("Z") + "+00:00" if text.endswith("Z") else text)
