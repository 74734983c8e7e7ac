"""What the pool shows: tickets, leases, what is free."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class HolderView(_View):
    """A lease that a ticket waits for. `user` and `name` are given for one's own leases only."""

    project: str
    devices: int
    since: datetime | None = Field(None, description="Given where it is planned and has not begun.")
    until: datetime
    own: bool = False
    user: str | None = None
    name: str | None = None


class WaitView(_View):
    """Why a ticket waits: a closed name, the sentence for people, and the leases in the way."""

    reason: str
    message: str
    remedy: str
    holders: tuple[HolderView, ...] = ()


class LeaseView(_View):
    """What a ticket holds. Times are UTC."""

    devices: tuple[str, ...]
    starts: datetime
    ends: datetime
    simulated: bool
    machine: str = Field("", description="What is wrong with the machine of these devices, in words; empty: nothing.")
    trespassers: tuple[str, ...] = Field((), description="Programs of others on these devices, in words.")


class NoticeView(_View):
    """What a ticket's owner should know now.

    `kind`: near, likely_changed, granted, extended, ending, taken_back, requeued, unclaimed, lost, promise_broken,
    ended_by_admin.
    """

    kind: str
    at: datetime
    ends_at: datetime | None = None
    message: str


class ToldNotice(NoticeView):
    """A notice in the stream of all that one is told."""

    number: int = Field(description="Grows from one to the next; also the event's id, to go on after it.")
    ticket: str = Field(description="The ticket that it is about.")


class OfferView(_View):
    """A profile that would start now in place of a waiting ticket, and the hours that it could be had for."""

    profile: str
    profile_title: str
    hours: float


class TicketView(_View):
    """One ticket, as its owner sees it. Times are UTC."""

    id: str
    kind: str
    user: str
    name: str = Field(description='The server\'s name; "" is the default server.')
    project: str
    project_title: str
    profile: str
    profile_title: str
    flavour: str
    gpus: int
    hours: float
    state: str
    requested_at: datetime
    attempt: int
    place: int | None = Field(None, description="1 is next; null unless queued.")
    project_line: bool = Field(
        False, description="The place is that in the project's line in the cluster's own queue; else in the pool's."
    )
    starts_by: datetime | None = Field(
        None, description="The promise: never moves later while the ticket waits; none where it can't be kept."
    )
    likely_start: datetime | None = Field(
        None,
        description="Estimate from observed run lengths; null where it is too far ahead to tell, or just asked for.",
    )
    no_promise: str = Field("", description="Why no latest start is promised, in words; empty where one is.")
    planned_start: datetime | None = Field(None, description="Start of the slot in today's plan; may move earlier.")
    wait: WaitView | None = None
    sooner: tuple[OfferView, ...] = Field((), description="What would start now instead: POST it to …/instead.")
    lease: LeaseView | None = None
    extendable_until: datetime | None = Field(
        None, description="The latest end that the lease could be given now, in quarters of an hour: POST …/extend."
    )
    no_extension: str = Field("", description="Why a lease in use can't be extended now, in words; else empty.")
    needs_ready: bool = Field(False, description="A grant went unclaimed; say ready to be granted again.")
    starts_again: bool = Field(
        True, description="Goes back in line by itself if its GPUs are taken back before the end: POST …/again."
    )
    needs_switch: bool = Field(False, description="Granted, but another server of this name runs: switch to start.")
    stop_one_of: tuple[str, ...] = Field(
        (), description="Granted, but these servers are as many as the user may run: stop one for it to start."
    )
    claim_by: datetime | None = Field(None, description="Until when the started server must be used once.")
    end_reason: str | None = None
    end_message: str = ""
    server_ready: bool = False
    server_path: str = Field(description="Path of the server on the hub's address.")
    path: str = Field(description="Path of this ticket's page on the hub's address.")
    logs_path: str = ""
    notice: NoticeView | None = None
    simulated: bool = False


class FlavourView(_View):
    """How much of a flavour is free now, and when the next device of it is planned to be."""

    name: str
    title: str
    total: int
    free: int
    next_free: datetime | None = None
    simulated: bool = False


class ProfileView(_View):
    """What starting this profile in this project would meet now."""

    name: str
    title: str
    flavour: str | None = Field(description="Null for a profile that needs no device.")
    gpus: int
    cpu: float = Field(description="Cores.")
    memory_gib: float
    max_hours: float
    starts_now: bool
    next_start: datetime | None = Field(None, description="Planned start if asked for now with its longest hours.")
    hours_now: float = Field(0, description="For how many hours it would start now, without delaying anybody.")
    unavailable: str = Field("", description="Why no node can ever hold it; empty where one can.")


class DeviceTroubleView(_View):
    """A device with which something is wrong, in words: it is not granted, or others use it beside its holder."""

    device: str
    flavour: str
    reason: str


class NodeTroubleView(_View):
    """A machine on which nothing new starts. `condition`: drained, failed or silent."""

    node: str
    condition: str
    since: datetime | None = Field(None, description="When that began; null where nobody knows.")
    until: datetime | None = Field(None, description="When a drained one serves again by itself.")
    devices: int = Field(description="How many it holds.")
    reason: str


class BudgetView(_View):
    """How a project's budget of GPU-hours stands in its present period."""

    project: str
    project_title: str
    gpu_hours: float = Field(description="GPU-hours in each period.")
    per: str = Field(description="day, week, month or year.")
    used: float = Field(description="GPU-hours that its servers have used in this period until now.")
    set_aside: float = Field(
        description="GPU-hours kept for its servers until their hours are over, and for who waits with a planned start."
    )
    left: float = Field(description="GPU-hours that nobody has used or set aside; never below 0.")
    renewed: datetime = Field(description="When the next period begins.")
    message: str = Field(description='"188 of 200 GPU-hours left this month".')


class CapabilitiesView(_View):
    """What the engine can do; what it can't is refused as `engine_cannot`."""

    commitments: bool = Field(description="A ticket is promised a latest start.")
    advance_reservations: bool = Field(description="GPUs can be reserved for a time to come.")
    device_ids: bool = Field(description="A lease's devices are named before its server starts.")
    extend: bool = Field(description="A lease in use can be given a later end.")


class PoolView(_View):
    """The pool at one moment."""

    engine: str
    capabilities: CapabilitiesView
    simulated: bool
    flavours: tuple[FlavourView, ...]
    withheld: tuple[DeviceTroubleView, ...] = ()
    out_of_service: tuple[NodeTroubleView, ...] = ()
    trespassed: tuple[DeviceTroubleView, ...] = ()
    budgets: tuple[BudgetView, ...] = Field((), description="Of the projects that have one.")
    trouble: str = Field("", description="What keeps the pool from seeing its devices; empty where it sees them.")
    queued: int
    now: datetime


class FormView(_View):
    """Live part of the spawn form: per project, what its profiles would meet."""

    pool: PoolView
    projects: dict[str, tuple[ProfileView, ...]]


class HomeView(_View):
    """One user's open tickets and leases, for the hub's home page."""

    pool: PoolView
    tickets: tuple[TicketView, ...]
