"""Why a request waits or is refused, in words a researcher understands. Closed sets: a page can rely on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class WaitReason(str, Enum):
    """Why a ticket waits."""

    DEVICES = "devices"
    """All devices that fit are leased or promised to somebody who asked earlier."""
    PROJECT_LIMIT = "project_limit"
    """The project holds as many devices as it may at once."""
    OWN_LIMIT = "own_limit"
    """The user's own servers hold as many devices as one user may at once."""
    BUDGET = "budget"
    """The project's budget has too little left in this period."""
    SAME_SERVER = "same_server"
    """An earlier lease of the same server has not ended yet."""
    KEPT_FOR_OTHERS = "kept_for_others"
    """What is free belongs to projects that don't lend it, is reserved, or is closed for maintenance."""
    NOT_READY = "not_ready"
    """A grant went unclaimed; the ticket waits for the user to say "ready"."""
    BEHIND_OTHERS = "behind_others"
    """Others of the project's line in the cluster's queue come first."""
    NO_ROOM = "no_room"
    """Enough devices are free in the cluster, but not on one machine."""
    BESIDE_DEVICES = "beside_devices"
    """The machines or the project have too little CPU, memory or local storage left."""
    COMING_BACK = "coming_back"
    """Devices are being taken back for it from who borrowed them."""
    USED_ELSEWHERE = "used_elsewhere"
    """Work in the cluster that isn't of this pool holds the devices."""
    QUEUE_STOPPED = "queue_stopped"
    """The project's queue in the cluster is stopped or missing."""
    NOT_PLACED = "not_placed"
    """It had its turn, and the machine had no room for its server all the same."""
    UNDECIDED = "undecided"
    """The cluster's queue has not said anything about it yet."""


class RefusalReason(str, Enum):
    """Why a request can never be met as it was asked."""

    UNKNOWN_PROJECT = "unknown_project"
    NOT_A_MEMBER = "not_a_member"
    UNKNOWN_PROFILE = "unknown_profile"
    PROFILE_NOT_IN_PROJECT = "profile_not_in_project"
    PROFILE_NEEDS_NO_DEVICE = "profile_needs_no_device"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    OVER_USER_LIMIT = "over_user_limit"
    OVER_PROJECT_LIMIT = "over_project_limit"
    OVER_BUDGET = "over_budget"
    KEPT_FOR_OTHERS = "kept_for_others"
    OVER_FLAVOUR = "over_flavour"
    OVER_NODE = "over_node"
    TOO_MANY_QUEUED = "too_many_queued"
    SERVER_HOLDS_OTHER_LEASE = "server_holds_other_lease"
    SERVER_WAITS_FOR_OTHER = "server_waits_for_other"
    SERVER_IS_ENDING = "server_is_ending"
    SERVER_IS_LOST = "server_is_lost"


class ExtensionReason(str, Enum):
    """Why a lease is not extended."""

    NOT_IN_USE = "not_in_use"
    """It waits, was never used, or has ended."""
    TAKEN_BACK = "taken_back"
    """It was borrowed and goes back to its owner."""
    ENDING = "ending"
    """Its server is being stopped, or its end is too near."""
    NOT_OFFERED = "not_offered"
    """Its project or profile is gone, or its user is no longer a member."""
    TOO_SHORT = "too_short"
    """Less than anything is extended by."""
    TOO_LONG = "too_long"
    """It would end later than a run may that begins now."""
    TOO_LONG_IN_ALL = "too_long_in_all"
    """It would last longer than a run may with all its extensions."""
    OTHERS_TURN = "others_turn"
    """Somebody of a project with less use for its weight waits for such devices."""
    BORROWED = "borrowed"
    """It is borrowed, and somebody waits for such devices."""
    OWN_LIMIT = "own_limit"
    """The user's other servers, running or planned, need what is left of the user's limit."""
    PROJECT_LIMIT = "project_limit"
    """The project's other servers, running or planned, need what is left of its share."""
    BUDGET = "budget"
    """The project's budget has too little left."""
    PROMISED = "promised"
    """Somebody else holds a place there."""


@dataclass(frozen=True, slots=True)
class NotExtended:
    """A lease that stays as it was. `until`: until when it could go on as things are now, where it could at all."""

    reason: ExtensionReason
    message: str
    remedy: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request refused for good: no ticket was made."""

    reason: RefusalReason
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody's lease that a ticket waits for. `own` where it is the waiting user's.

    `since` is given where it has not begun yet: a planned start of another ticket.
    """

    user: str
    name: str
    project: str
    devices: int
    until: datetime
    own: bool = False
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a ticket waits now, and for whose leases.

    `most` is how many devices there are to have: those in order, or the cap. `missing` is how many must come free
    first; 0 where they are free now and promised for soon. `kept_for` are projects for which free devices are kept,
    `kept_until` when the last such reservation is over; None where it is for ever. `hours_left` are the GPU-hours left
    of a budget until `renewed`, of a period that `begins` later where that is told. `ahead` are how many come first in
    the project's line.
    """

    reason: WaitReason
    holders: tuple[Holder, ...] = ()
    missing: int = 0
    most: int = 0
    kept_for: tuple[str, ...] = ()
    kept_until: datetime | None = None
    hours_left: float = 0.0
    begins: datetime | None = None
    renewed: datetime | None = None
    ahead: int = 0
