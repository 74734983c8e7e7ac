"""What is in force: the devices that the engine found and the rules of the file, with what admins said of both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from labpool.domain.overrides import with_overrides
from labpool.domain.withdrawals import with_withdrawals
from labpool.service.setting import Setting
from labpool.service.trail import as_noted, note
from labpool.store import Acts, Part, Transaction

_EVER = datetime.max.replace(tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is in force from `since` until `until`, when something of it ends."""

    found: Setting
    acts: Acts
    setting: Setting
    since: datetime
    until: datetime | None

    def is_good_for(self, found: Setting, acts: Acts, now: datetime) -> bool:
        same = found is self.found and all(one is other for one, other in zip(acts, self.acts, strict=True))
        return same and self.since <= now < (self.until or _EVER)


class InForce:
    """The setting in force, one and the same for as long as nothing changes: the planner need not begin anew."""

    def __init__(self) -> None:
        self._shown: _Shown | None = None

    def of(self, found: Setting, acts: Acts, now: datetime) -> Setting:
        """What is in force at `now` of what was found."""
        shown = self._shown
        if shown is None or not shown.is_good_for(found, acts, now):
            setting = in_force(found, acts, now)
            shown = self._shown = _Shown(found, acts, setting, now, look_by(acts, None, now))
        return shown.setting


def in_force(found: Setting, acts: Acts, now: datetime) -> Setting:
    """What was found, with what admins said."""
    inventory = with_withdrawals(found.inventory, acts.withdrawals, now)
    return found._replace(inventory=inventory, catalogue=with_overrides(found.catalogue, acts.overrides, now))


def look_by(acts: Acts, looks_at: datetime | None, now: datetime) -> datetime | None:
    """When the pool has to decide next: at `looks_at`, or sooner where something ends by itself."""
    ends = [each.until for each in acts.withdrawals] + [each.until for each in acts.overrides]
    ahead = (end for end in ends if end is not None and end > now)
    return min((moment for moment in (looks_at, *ahead) if moment is not None), default=None)


def end_overdue(change: Transaction, found: Setting, now: datetime) -> None:
    """Note the end of what is over: its date has come, or a fenced machine is no longer silent."""
    withdrawals, overrides = change.acts()
    over = [(each.id, each.act.value, each.what) for each in withdrawals if each.is_over(found.inventory, now)]
    over += [(each.id, "override", as_noted(change, each).what) for each in overrides if each.is_over(now)]
    for act, kind, what in over:
        change.end_act(act, now, Part.POOL.value)
        note(change, now, Part.POOL, f"{kind}_over", None, f"{act}: {what}")
