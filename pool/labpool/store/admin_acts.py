"""What admins said and nobody has ended: written to the database, and kept in memory with it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from labpool.domain.overrides import Override
from labpool.domain.withdrawals import Withdrawal
from labpool.store import rows
from labpool.store.kept import Kept
from labpool.store.models import OverrideRow, WithdrawalRow
from labpool.store.records import Acts


def add_withdrawal(session: Session, kept: Kept, withdrawal: Withdrawal) -> None:
    """Keep what an admin drained or fenced."""
    session.add(rows.withdrawal_row(withdrawal))
    session.flush()
    kept.acts = kept.acts._replace(withdrawals=(*kept.acts.withdrawals, withdrawal))


def add_override(session: Session, kept: Kept, override: Override) -> None:
    """Keep what an admin changed of the rules."""
    session.add(rows.override_row(override))
    session.flush()
    kept.acts = kept.acts._replace(overrides=(*kept.acts.overrides, override))


def end(session: Session, kept: Kept, act: str, at: datetime, by: str) -> None:
    """Note that a withdrawal or an override is over, and who ended it; nothing happens where it was before."""
    row = session.get(WithdrawalRow, act) or session.get(OverrideRow, act)
    if row is None or row.ended_at is not None:
        return
    row.ended_at, row.ended_by = at, by
    session.flush()
    withdrawals, overrides = kept.acts
    kept.acts = Acts(
        tuple(each for each in withdrawals if each.id != act), tuple(each for each in overrides if each.id != act)
    )
