"""What is in force: the devices that the engine found and the rules of the file, with what admins said of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from labpool.domain.withdrawals import Withdrawal, with_withdrawals
from labpool.service.setting import Setting
from labpool.service.trail import note
from labpool.store import Transaction

_EVER = datetime.max.replace(tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is in force from `since` until `until`, when something of it ends."""

    found: Setting
    withdrawals: Sequence[Withdrawal]
    setting: Setting
    since: datetime
    until: datetime | None

    def is_good_for(self, found: Setting, withdrawals: Sequence[Withdrawal], now: datetime) -> bool:
        return found is self.found and withdrawals is self.withdrawals and self.since <= now < (self.until or _EVER)


class InForce:
    """The setting in force, one and the same for as long as nothing changes: the planner need not begin anew."""

    def __init__(self) -> None:
        self._shown: _Shown | None = None

    def of(self, found: Setting, withdrawals: Sequence[Withdrawal], now: datetime) -> Setting:
        """What is in force at `now` of what was found."""
        shown = self._shown
        if shown is None or not shown.is_good_for(found, withdrawals, now):
            inventory = with_withdrawals(found.inventory, withdrawals, now)
            until = look_by(withdrawals, None, now)
            shown = _Shown(found, withdrawals, found._replace(inventory=inventory), now, until)
            self._shown = shown
        return shown.setting


def look_by(withdrawals: Sequence[Withdrawal], looks_at: datetime | None, now: datetime) -> datetime | None:
    """When the pool has to decide next: at `looks_at`, or sooner where something ends by itself."""
    ends = (each.until for each in withdrawals if each.until is not None and each.until > now)
    return min((moment for moment in (looks_at, *ends) if moment is not None), default=None)


def end_overdue(change: Transaction, found: Setting, now: datetime) -> None:
    """Note the end of what is over: its date has come, or its machine is no longer silent."""
    for each in change.withdrawals():
        if each.is_over(found.inventory, now):
            change.end_withdrawal(each.id, now, "pool")
            note(change, now, "pool", f"{each.act.value}_over", None, f"{each.id}: {each.device or each.node}")
