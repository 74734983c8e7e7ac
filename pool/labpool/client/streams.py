"""Reading the pool's server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import httpx

from labpool.api_models import NoticeView

PATIENCE = httpx.Timeout(15.0)
"""Three heartbeats of a stream: after a longer silence it is dead."""


class Notices:
    """Notices in the lines of a stream; its heartbeats, and that there is none yet, are passed over."""

    def __init__(self) -> None:
        self._event = ""
        self._data: list[str] = []

    def after(self, line: str) -> NoticeView | None:
        """The notice that ends with `line`, if one does."""
        field, _, value = line.partition(":")
        if field == "event":
            self._event = value.strip()
        elif field == "data":
            self._data.append(value.removeprefix(" "))
        elif not line:
            return self._finished()
        return None

    def _finished(self) -> NoticeView | None:
        event, data = self._event, "\n".join(self._data)
        self._event, self._data = "", []
        return NoticeView.model_validate_json(data) if event == "notice" and data else None
