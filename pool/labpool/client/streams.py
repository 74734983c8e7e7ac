"""Reading the pool's server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

from typing import Generic, TypeVar

import httpx
from pydantic import BaseModel

Told = TypeVar("Told", bound=BaseModel)

PATIENCE = httpx.Timeout(15.0)
"""Three heartbeats of a stream: after a longer silence it is dead."""


class Events(Generic[Told]):
    """What the events of one name in the lines of a stream tell; others, such as heartbeats, are passed over."""

    def __init__(self, name: str, model: type[Told]) -> None:
        self._name, self._model = name, model
        self._event = ""
        self._data: list[str] = []

    def after(self, line: str) -> Told | None:
        """What the event tells that ends with `line`, if one does."""
        field, _, value = line.partition(":")
        if field == "event":
            self._event = value.strip()
        elif field == "data":
            self._data.append(value.removeprefix(" "))
        elif not line:
            return self._finished()
        return None

    def _finished(self) -> Told | None:
        event, data = self._event, "\n".join(self._data)
        self._event, self._data = "", []
        return self._model.model_validate_json(data) if event == self._name and data else None
