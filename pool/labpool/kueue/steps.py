"""What a sync does to an object, or leaves and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from labpool.kueue.differences import FieldChange
from labpool.kueue.manifests import Named


class Act(str, Enum):
    """What becomes of an object."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    SAME = "same"
    KEPT = "kept"
    """No longer wanted, and in use."""
    DRIFTED = "drifted"
    """Somebody else has set some of its fields."""
    FOREIGN = "foreign"
    """It bears our name and is not ours."""
    GOING = "going"
    """It is being deleted, so it can't be set."""


@dataclass(frozen=True, slots=True)
class Step:
    """One object: `changes` of its fields, and in `said` why it stays as it is and what to do.

    `users` are the others for whose sake it is kept.
    """

    act: Act
    named: Named
    changes: tuple[FieldChange, ...] = ()
    said: str = ""
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Synced:
    """All that a sync did, or would do with `dry_run`, in order; objects that are as wanted are left out."""

    cohort: str
    namespace: str
    dry_run: bool
    steps: tuple[Step, ...]
    remarks: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether all is as pool.yaml says, but for what is kept until nobody uses it any more."""
        return not any(step.act in (Act.DRIFTED, Act.FOREIGN, Act.GOING) for step in self.steps)
