"""Who may start as far as the pool's own rules go, where an engine with a queue of its own decides about devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from labpool.domain.budgets import Account, Accounts
from labpool.domain.leases import Lease
from labpool.domain.needs import Cap, Key, Needs
from labpool.domain.tickets import Ticket
from labpool.domain.world import World

_OURS = frozenset({"server", "user"})
"""Caps that no engine knows of."""


class Admissible:
    """What leases take of each cap and budget, and what that leaves for who waits."""

    def __init__(self, world: World, now: datetime) -> None:
        self._now, self._rules = now, world.catalogue
        self._needs = Needs(world)
        self._accounts = Accounts(world.catalogue.budgets(), world.spent)
        self._held: Counter[Key] = Counter()
        self._booked: Counter[Account] = Counter()
        for lease in world.counted:
            self._book(lease)

    def may_wait_for_devices(self, ticket: Ticket) -> bool:
        """Whether its user's limit and its project's budget let it start now, were there devices."""
        return self._fits(cap for cap in self._needs.of(ticket).caps if cap.key[0] in _OURS) and self._is_paid(ticket)

    def may_start(self, ticket: Ticket) -> bool:
        """The same, and its project may hold so much."""
        return self._fits(self._needs.of(ticket).caps) and self._is_paid(ticket)

    def paid_from(self, ticket: Ticket) -> datetime:
        """When its project can pay for it, if nothing else is booked until then; FOREVER where it never can."""
        rate = self._rules.rate(ticket.flavour, ticket.gpus)
        return self._accounts.affordable_from(self._booked, ticket.project, rate, self._now, ticket.duration)

    def start(self, ticket: Ticket) -> None:
        """Count a ticket that starts."""
        self._held.update({cap.key: cap.amount for cap in self._needs.of(ticket).caps})
        rate = self._rules.rate(ticket.flavour, ticket.gpus)
        self._pay(ticket.project, rate, self._now, self._now + ticket.duration)

    def _book(self, lease: Lease) -> None:
        devices = len(lease.devices)
        self._held["server", lease.user, lease.name] += 1
        self._held["user", lease.user] += devices
        self._held["project", lease.project, lease.flavour] += devices
        self._pay(lease.project, lease.rate, lease.starts, lease.ends)

    def _pay(self, project: str, rate: int, start: datetime, end: datetime) -> None:
        self._booked.update(dict(self._accounts.costs(project, rate, start, end)))

    def _fits(self, caps: Iterable[Cap]) -> bool:
        return all(self._held[cap.key] + cap.amount <= cap.most for cap in caps)

    def _is_paid(self, ticket: Ticket) -> bool:
        return self.paid_from(ticket) == self._now
