"""From domain values to what people and programs see of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from labpool.api_models import (
    CapabilitiesView,
    FlavourView,
    FormView,
    HomeView,
    LeasedDevice,
    LeaseView,
    NoticeView,
    PoolView,
    ProfileView,
    TicketView,
)
from labpool.domain.availability import availability, stand
from labpool.domain.catalogue import Project
from labpool.domain.ends import claim_by
from labpool.domain.leases import Lease
from labpool.domain.sentences import ended_sentence
from labpool.domain.tickets import State, Ticket
from labpool.domain.world import World
from labpool.service import budget_views, device_views
from labpool.service.desk import Desk
from labpool.service.extending import extension_shown
from labpool.service.outlook_views import outlook
from labpool.service.reconciler import Reconciler
from labpool.settings import hidden_profiles
from labpool.store import Notice, Transaction

PREFIX = "/services/pool"
SHORTEST_RETRY, LONGEST_RETRY = 5, 600


class Seen(NamedTuple):
    """A ticket and what its view tells of, as a transaction saw it: its lease, the last notice, the likely start."""

    ticket: Ticket
    lease: Lease | None
    world: World
    notice: Notice | None
    likely: datetime | None


class Viewer:
    """Makes views in one read each.

    Args:
        desk: Where tickets are.
        reconciler: Knows which servers answer.
        engine: The engine's name, to be shown.
    """

    def __init__(self, desk: Desk, reconciler: Reconciler, engine: str) -> None:
        self._desk, self._reconciler, self._engine = desk, reconciler, engine

    async def ticket(self, ticket_id: str) -> TicketView:
        """One ticket; it must exist."""

        def read(view: Transaction) -> TicketView:
            ticket = self._desk.get(view, ticket_id)
            return self._tickets(view, [ticket], self._desk.world(view))[0]

        return await self._desk.view(read)

    def just_asked(self, view: Transaction, ticket: Ticket) -> Seen:
        """A ticket at the end of the transaction that answers who asked; nobody waits here for a likely start."""
        likely, told = self._desk.known_likely_start(ticket), view.last_notice_of(ticket.id)
        return Seen(ticket, view.lease_of(ticket.id), self._desk.world(view), told, likely)

    async def shown(self, seen: Seen) -> TicketView:
        """The view of a ticket, made after the transaction that saw it."""
        return await asyncio.to_thread(self._ticket, seen)

    async def tickets_of(self, user: str) -> list[TicketView]:
        """A user's newest tickets, newest first."""

        def read(view: Transaction) -> list[TicketView]:
            return self._tickets(view, view.tickets_of(user), self._desk.world(view))

        return await self._desk.view(read)

    async def home(self, user: str) -> HomeView:
        """A user's open tickets, and the pool."""

        def read(view: Transaction) -> HomeView:
            world = self._desk.world(view)
            mine = [ticket for ticket in world.tickets if ticket.user == user]
            return HomeView(pool=self._pool(world), tickets=tuple(self._tickets(view, mine, world)))

        return await self._desk.view(read)

    async def pool(self) -> PoolView:
        """The pool, without names."""
        return await self._desk.view(lambda view: self._pool(self._desk.world(view)))

    async def form(self, user: str, groups: frozenset[str]) -> FormView:
        """What each profile of each of the user's projects would meet now."""

        def read(view: Transaction) -> FormView:
            world = self._desk.world(view)
            projects = world.catalogue.projects_of(user, groups)
            shown = {project.name: self._profiles(world, project, user, groups) for project in projects}
            return FormView(pool=self._pool(world), projects=shown)

        return await self._desk.view(read)

    def leased_devices(self, lease: Lease) -> tuple[LeasedDevice, ...]:
        """The devices of a lease, in the order in which its server numbers them."""
        known = {device.id: device for device in self._desk.inventory.devices}
        return tuple(
            LeasedDevice(
                id=device.id,
                index=device.index,
                flavour=device.flavour,
                node=device.node,
                memory_gib=device.memory_gib,
                simulated=device.simulated,
            )
            for device in (known[device_id] for device_id in lease.devices if device_id in known)
        )

    def retry_after(self, ticket: TicketView) -> int:
        """Seconds after which asking for a waiting ticket's server again can be worth while."""
        if ticket.planned_start is None:
            return LONGEST_RETRY
        left = (ticket.planned_start - self._desk.clock()).total_seconds()
        return int(min(max(left, SHORTEST_RETRY), LONGEST_RETRY))

    def _tickets(self, view: Transaction, tickets: Sequence[Ticket], world: World) -> list[TicketView]:
        told, likely = view.last_notices_of([ticket.id for ticket in tickets]), self._desk.likely_start
        return [
            self._ticket(Seen(each, view.lease_of(each.id), world, told.get(each.id), likely(view, each, world)))
            for each in tickets
        ]

    def _ticket(self, seen: Seen) -> TicketView:
        ticket, lease, world, told, likely = seen
        catalogue, now = world.catalogue, self._desk.clock()
        project, profile = catalogue.projects.get(ticket.project), catalogue.profile_of(ticket)
        sighting, granted = self._reconciler.sighting, ticket.state is State.GRANTED
        return TicketView(
            id=ticket.id,
            kind=ticket.kind.value,
            user=ticket.user,
            name=ticket.name,
            project=ticket.project,
            project_title=project.title if project else ticket.project,
            profile=ticket.profile,
            profile_title=profile.title,
            flavour=ticket.flavour,
            gpus=ticket.gpus,
            hours=ticket.duration / timedelta(hours=1),
            state=ticket.state.value,
            requested_at=ticket.requested_at,
            attempt=ticket.attempt,
            likely_start=likely,
            **outlook(ticket, world, now),
            lease=self._lease(lease) if lease else None,
            **extension_shown(ticket, lease, world, now),
            needs_ready=ticket.state is State.QUEUED and not ticket.ready,
            starts_again=ticket.starts_again,
            needs_switch=granted and sighting.name_taken(ticket),
            stop_one_of=sighting.crowding(ticket, catalogue.limits) if granted and not sighting.listed(ticket) else (),
            claim_by=claim_by(lease, catalogue.queue) if lease and granted else None,
            **_end(ticket),
            server_ready=lease is not None and sighting.ready(ticket),
            server_path=server_path(ticket.user, ticket.name),
            path=f"{PREFIX}/tickets/{ticket.id}",
            logs_path=f"/logs/{quote(ticket.user, safe='')}/{quote(ticket.project, safe='')}/",
            notice=_notice(told),
            simulated=any(each.simulated and each.flavour == ticket.flavour for each in world.inventory.devices),
        )

    def _lease(self, lease: Lease) -> LeaseView:
        simulated = any(device.simulated for device in self.leased_devices(lease))
        trespassed = device_views.trespassed(self._desk.inventory, self._reconciler.trespassers)
        return LeaseView(
            devices=lease.devices,
            starts=lease.starts,
            ends=lease.ends,
            simulated=simulated,
            machine=device_views.machine_trouble(self._desk.inventory, lease.devices),
            trespassers=tuple(view.reason for view in trespassed if view.device in lease.devices),
        )

    def _pool(self, world: World) -> PoolView:
        now = self._desk.clock()
        return PoolView(
            engine=self._engine,
            capabilities=CapabilitiesView(**asdict(self._reconciler.capabilities)),
            simulated=world.inventory.simulated,
            flavours=tuple(self._flavour(world, name, now) for name in world.catalogue.flavours),
            withheld=device_views.withheld(world.inventory),
            out_of_service=device_views.out_of_service(world.inventory),
            trespassed=device_views.trespassed(world.inventory, self._reconciler.trespassers),
            budgets=budget_views.budgets(world, now),
            trouble=self._reconciler.trouble,
            queued=sum(ticket.state is State.QUEUED for ticket in world.tickets),
            now=now,
        )

    def _flavour(self, world: World, name: str, now: datetime) -> FlavourView:
        counted = stand(world, name, now)
        return FlavourView(
            name=name,
            title=world.catalogue.flavours[name].title,
            total=counted.total,
            free=counted.free,
            next_free=counted.next_free,
            simulated=any(device.simulated for device in world.inventory.of_flavour(name)),
        )

    def _profiles(self, world: World, project: Project, user: str, groups: frozenset[str]) -> tuple[ProfileView, ...]:
        hidden, now = hidden_profiles(world.catalogue, world.inventory), self._desk.clock()
        views = []
        for name in project.profiles:
            profile = world.catalogue.profiles[name]
            meets = availability(world, project, profile, user, groups, now)
            views.append(
                ProfileView(
                    name=name,
                    title=profile.title,
                    flavour=profile.flavour,
                    gpus=profile.gpus,
                    cpu=profile.cpu,
                    memory_gib=profile.memory_gib,
                    max_hours=profile.longest / timedelta(hours=1),
                    starts_now=meets.starts_now,
                    next_start=meets.next_start,
                    hours_now=meets.longest_now / timedelta(hours=1),
                    unavailable=hidden.get(name, ""),
                )
            )
        return tuple(views)


def server_path(user: str, name: str) -> str:
    """Path of a server on the hub's address."""
    return f"/user/{quote(user, safe='')}/{quote(name, safe='') + '/' if name else ''}"


def _end(ticket: Ticket) -> dict[str, str]:
    reason = ticket.end_reason
    return {"end_reason": reason.value, "end_message": ended_sentence(reason)} if reason else {}


def _notice(notice: Notice | None) -> NoticeView | None:
    if notice is None:
        return None
    return NoticeView(kind=notice.kind, at=notice.at, ends_at=notice.ends_at, message=notice.message)
