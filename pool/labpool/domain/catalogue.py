"""What the lab decided: flavours, profiles, projects and limits. The values of pool.yaml as the rules see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta, timezone, tzinfo

from labpool.domain.budgets import Budget, work
from labpool.domain.calendar import Term
from labpool.domain.tickets import Priority, Ticket


@dataclass(frozen=True, slots=True)
class Flavour:
    """A kind of device. `charge` is the GPU-hours booked for one hour of one device."""

    name: str
    title: str
    memory_gib: float = 0.0
    charge: float = 1.0


@dataclass(frozen=True, slots=True)
class Profile:
    """What a researcher picks. A profile without a flavour needs no device and never waits.

    `longest` is the longest run one may ask for, `longest_in_all` how long one may last with all that it is extended
    by; None: as `longest`.
    """

    name: str
    title: str
    flavour: str | None
    gpus: int
    cpu: float
    memory_gib: float
    longest: timedelta
    preset: str = "cpu"
    precision: str = "auto"
    xla: str = "auto"
    priority: Priority = Priority.INTERACTIVE
    longest_in_all: timedelta | None = None

    @classmethod
    def plain(cls, name: str, flavour: str, gpus: int, longest: timedelta) -> Profile:
        """One that says nothing but its size, for what is left of a profile that was removed."""
        preset = "single" if gpus == 1 else "mirrored"
        return cls(name, name, flavour, gpus, cpu=0, memory_gib=0, longest=longest, preset=preset)


@dataclass(frozen=True, slots=True)
class Project:
    """A project space. `nominal` and `borrow` count devices for each flavour; a missing flavour counts 0.

    `lend` is how many of its nominal devices others may use while it does not; of a missing flavour all.
    `budget` is what its runs may come to in each period; None: as much as they like.
    `weight` is the part it may expect of what nobody else needs; None: as large as its nominal devices.
    """

    name: str
    title: str
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    owner_users: frozenset[str] = frozenset()
    owner_groups: frozenset[str] = frozenset()
    everyone: bool = False
    nominal: Mapping[str, int] = field(default_factory=dict)
    borrow: Mapping[str, int] = field(default_factory=dict)
    lend: Mapping[str, int] = field(default_factory=dict)
    weight: float | None = None
    profiles: tuple[str, ...] = ()
    budget: Budget | None = None

    def most_at_once(self, flavour: str) -> int:
        """Devices of `flavour` this project may hold at once: nominal + borrowing."""
        return self.nominal.get(flavour, 0) + self.borrow.get(flavour, 0)

    def never_lent(self, flavour: str) -> int:
        """Devices of `flavour` that nobody else gets, also while this project does not use them."""
        own = self.nominal.get(flavour, 0)
        return max(own - self.lend.get(flavour, own), 0)

    def has_member(self, user: str, groups: frozenset[str]) -> bool:
        """Whether `user` may work in this project; an owner is a member."""
        named = user in self.users or bool(groups & self.groups)
        return self.everyone or named or self.has_owner(user, groups)

    def has_owner(self, user: str, groups: frozenset[str]) -> bool:
        """Whether `user` owns this project."""
        return user in self.owner_users or bool(groups & self.owner_groups)


@dataclass(frozen=True, slots=True)
class UserLimit:
    """Caps on one user over all projects: devices at once, servers at once (CPU ones too), queued tickets."""

    gpus: int
    servers: int
    queued: int


@dataclass(frozen=True, slots=True)
class PersonalLimit:
    """Caps of one user that an admin changed; None: as without."""

    gpus: int | None = None
    queued: int | None = None

    def over(self, limit: UserLimit) -> UserLimit:
        """The limit with these in place of its own."""
        gpus = limit.gpus if self.gpus is None else self.gpus
        return UserLimit(gpus, limit.servers, limit.queued if self.queued is None else self.queued)


@dataclass(frozen=True, slots=True)
class Limits:
    """`everybody` holds unless a group raises or lowers it; of several groups the largest counts; `users` beats both.

    `personal` beats all, each cap on its own.
    """

    everybody: UserLimit
    groups: Mapping[str, UserLimit] = field(default_factory=dict)
    users: Mapping[str, UserLimit] = field(default_factory=dict)
    personal: Mapping[str, PersonalLimit] = field(default_factory=dict)

    def of(self, user: str, groups: frozenset[str]) -> UserLimit:
        """The limit in force for `user`, each cap taken on its own."""
        limit = self._of_file(user, groups)
        return self.personal[user].over(limit) if user in self.personal else limit

    def _of_file(self, user: str, groups: frozenset[str]) -> UserLimit:
        if user in self.users:
            return self.users[user]
        mine = [self.groups[group] for group in groups if group in self.groups]
        if not mine:
            return self.everybody
        return UserLimit(max(m.gpus for m in mine), max(m.servers for m in mine), max(m.queued for m in mine))


_PUNCTUAL = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class QueueRules:
    """Times of the queue.

    claim: from server ready until a person must have used it; restart: how long a dead server keeps its lease;
    end_grace: from SIGTERM to the lease's end; turnover: kept free after each planned end; expiry: how long an
    unclaimed ticket waits for "ready"; shortest: least time one may ask for; notices: before the end, longest first;
    half_life: after which a project's use counts half in its fair share; unpromised: after which the first of a project
    that waits without a promise is given a place all the same; wait_before_taking: how long an owner waits before
    borrowed devices are taken back; grace: from the notice of that to the end; borrow_min: how long a borrowed lease is
    left alone at least; placement: how long a started server may find no room on its machine.
    """

    claim: timedelta = timedelta(minutes=30)
    restart: timedelta = timedelta(minutes=5)
    end_grace: timedelta = timedelta(minutes=1)
    turnover: timedelta = timedelta(minutes=1)
    expiry: timedelta = timedelta(hours=24)
    shortest: timedelta = timedelta(minutes=5)
    notices: tuple[timedelta, ...] = (timedelta(minutes=15), timedelta(minutes=5))
    start_tries: int = 3
    half_life: timedelta = timedelta(days=7)
    unpromised: timedelta = timedelta(hours=24)
    wait_before_taking: timedelta = timedelta(minutes=5)
    grace: timedelta = timedelta(minutes=10)
    borrow_min: timedelta = timedelta(minutes=30)
    placement: timedelta = timedelta(seconds=30)

    @property
    def lateness(self) -> timedelta:
        """A start so little after the promise counts as kept, however short the turnover is set."""
        return max(self.turnover, _PUNCTUAL)

    @property
    def planned_lateness(self) -> timedelta:
        """What of it is left for a place: the pool may come a whole turnover after that."""
        return self.lateness - self.turnover


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything the lab decided, at one moment. `zone` is that of its calendar, `terms` are by time."""

    flavours: Mapping[str, Flavour]
    profiles: Mapping[str, Profile]
    projects: Mapping[str, Project]
    limits: Limits
    queue: QueueRules = QueueRules()
    zone: tzinfo = timezone.utc
    terms: tuple[Term, ...] = ()

    def weight_of(self, project: str) -> float:
        """What a project's use is measured against: its weight, or else its nominal devices, at least 1."""
        known = self.projects.get(project)
        if known is None:
            return 1.0
        return known.weight or max(float(sum(known.nominal.values())), 1.0)

    def nominal(self, project: str, flavour: str) -> int:
        """Devices of `flavour` that belong to a project; 0 where it is gone."""
        known = self.projects.get(project)
        return known.nominal.get(flavour, 0) if known else 0

    def budgets(self) -> dict[str, Budget]:
        """Those of the projects that have one."""
        return {project.name: project.budget for project in self.projects.values() if project.budget}

    def rate(self, flavour: str, devices: int) -> int:
        """What so many devices use of a budget in a microsecond, in units of work."""
        return work(devices, self.charge_of(flavour))

    def charge_of(self, flavour: str) -> float:
        """GPU-hours booked for one hour of one device; those of a flavour that is gone cost 1."""
        return self.flavours[flavour].charge if flavour in self.flavours else 1.0

    def profile_of(self, ticket: Ticket) -> Profile:
        """A ticket's profile; a plain one of its size where it was removed meanwhile: leases run out all the same."""
        return self.profiles.get(ticket.profile) or Profile.plain(
            ticket.profile, ticket.flavour, ticket.gpus, ticket.duration
        )

    def projects_of(self, user: str, groups: frozenset[str]) -> tuple[Project, ...]:
        """Projects `user` is a member of, in the file's order."""
        return tuple(p for p in self.projects.values() if p.has_member(user, groups))
