"""Books that are kept wrongly are found by the histories that compare them with the planner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from labpool.domain.leases import Lease
from labpool.domain.ledger import Posting, closed
from labpool.store import EndedRun, transaction

from tests.service.desk_history import STEPS, DeskHistory

pytestmark = pytest.mark.once

_HISTORIES = 25


def no_extension(patch: pytest.MonkeyPatch) -> None:
    """A lease that gets another end is booked with its first one."""
    patch.setattr(transaction, "moved", lambda lease, ends: ())


def charge_of_one(patch: pytest.MonkeyPatch) -> None:
    """Budgets count each run as if its flavour's charge were 1."""
    patch.setattr(EndedRun, "rate", property(lambda run: 1000 * run.devices))


def no_refund(patch: pytest.MonkeyPatch) -> None:
    """What a lease did not use stays held."""

    def settled_only(lease: Lease, at: datetime) -> tuple[Posting, ...]:
        return closed(lease, at)[:1]

    patch.setattr(transaction, "closed", settled_only)


@pytest.mark.parametrize("mutant", [no_extension, charge_of_one, no_refund])
def test_mutant_is_found(mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    mutant(monkeypatch)
    chance = Random(3)
    with pytest.raises(AssertionError):
        for number in range(_HISTORIES):
            folder = tmp_path / str(number)
            folder.mkdir()
            history = DeskHistory(folder)
            steps = [(chance.choice(STEPS), chance.randrange(12), chance.randrange(12)) for _ in range(24)]
            asyncio.run(history.run(steps))
