"""The cards last seen, kept in the data folder: a restart while the driver is down must not take them for gone."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from labpool.engines.nvml import Card

_log = logging.getLogger("labpool.engines")
_CARDS = TypeAdapter(tuple[Card, ...])


class CardMemory:
    """One JSON file of cards. It is a help, so trouble with it is logged and never stops anything."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: tuple[Card, ...] | None = None

    def recall(self) -> tuple[Card, ...]:
        """The cards last kept, without the processes on them; none where nothing was kept."""
        try:
            return _CARDS.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as error:
            _log.warning("Can't read the cards last seen from %s: %s. Going on without them.", self._path, error)
            return ()

    def keep(self, cards: tuple[Card, ...]) -> None:
        """Write `cards` down, where they changed."""
        lasting = tuple(replace(card, pids=(), unlisted=None) for card in cards)
        if lasting == self._kept:
            return
        draft = self._path.with_suffix(".draft")
        try:
            draft.write_bytes(_CARDS.dump_json(lasting, indent=1))
            draft.replace(self._path)
        except OSError as error:
            _log.warning("Can't keep the cards seen in %s: %s", self._path, error)
            return
        self._kept = lasting
