"""Whether a pool's store is as it must be at any moment, and as the pool has answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from labpool.domain.budgets import TICK
from labpool.domain.tickets import HOLDING, EndReason, State
from labpool.service.changes import Changes
from labpool.service.desk import Desk
from labpool.service.setting import Setting
from labpool.store import Store, connect
from labpool.store.audit_check import heads_in
from labpool.store.audit_reading import verify_audit
from labpool.store.models import (
    AskedOnceRow,
    AuditRow,
    LeaseRow,
    LedgerRow,
    NoticeRow,
    OverrideRow,
    ReservationRow,
    SlotRow,
    TicketRow,
    WithdrawalRow,
)
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.crash.acknowledged import Acknowledged
from tests.service.desk_history import check_books, planners_accounts

MOST_GPUS, MOST_QUEUED = 2, 3
"""Of each person, by the rules that the pool has here; admins only ever lower the first."""
_PROMISED_ANEW = frozenset({"requeued", "unclaimed", "stepped_behind"})
"""What a ticket's first promise does not outlive."""


@dataclass(frozen=True)
class Found:
    """All rows that the checks look at, read at one moment."""

    tickets: dict[str, TicketRow]
    leases: list[LeaseRow]
    slots: set[str]
    events: Counter[tuple[str, str]]
    holds: Counter[int]
    told: Counter[str]
    standing: set[str]
    by_key: dict[tuple[str, str], str]


def check(database: str, heads: Path, setting: Setting, known: Acknowledged) -> None:
    """Check all that is in a database which nobody writes at the moment, and the audit trail's last rows elsewhere."""
    engine = connect(database)
    try:
        found = _read(engine)
        _check_tickets(found)
        _check_limits(found)
        _check_written_together(found)
        _check_acknowledged(found, known)
        _check_ledger(engine, setting)
    finally:
        engine.dispose()
    verdict = verify_audit(database, heads_in(heads.read_text().splitlines()) if heads.exists() else [])
    assert verdict.broken is None


def _read(engine: Engine) -> Found:
    with Session(engine, expire_on_commit=False) as session:
        made = {
            f"{kind} {row.id}"
            for kind, rows in (("/drains", WithdrawalRow), ("/overrides", OverrideRow))
            for row in session.scalars(select(rows).where(rows.ended_at.is_(None)))
        }
        made |= {
            f"/reservations {row.id}"
            for row in session.scalars(select(ReservationRow).where(ReservationRow.cancelled_at.is_(None)))
        }
        audit = session.execute(select(AuditRow.ticket, AuditRow.event)).all()
        holds = session.scalars(select(LedgerRow.lease).where(LedgerRow.kind == "hold"))
        granted = session.scalars(select(NoticeRow.ticket).where(NoticeRow.kind == "granted"))
        asked = session.scalars(select(AskedOnceRow))
        return Found(
            {row.id: row for row in session.scalars(select(TicketRow))},
            list(session.scalars(select(LeaseRow))),
            set(session.scalars(select(SlotRow.ticket))),
            Counter((ticket or "", event) for ticket, event in audit),
            Counter(holds),
            Counter(granted),
            made,
            {(row.user, row.key): row.ticket for row in asked},
        )


def _check_tickets(found: Found) -> None:
    """Who holds a lease has just one, of as many devices as asked for; a place is for who waits or falls back on it."""
    live = Counter(lease.ticket for lease in found.leases if lease.ended_at is None)
    for ticket in found.tickets.values():
        state = State(ticket.state)
        assert live[ticket.id] == (1 if state in HOLDING else 0), (
            f"{ticket.id} is {state} with {live[ticket.id]} leases"
        )
        assert (ticket.end_reason is not None) == (state is State.ENDED)
        assert ticket.end_reason is None or EndReason(ticket.end_reason)
        falls_back = state in HOLDING and ticket.starts_by is not None  # on the place that it was promised
        assert ticket.id not in found.slots or state is State.QUEUED or falls_back
    assert all(len(lease.devices) == found.tickets[lease.ticket].gpus for lease in found.leases)


def _check_limits(found: Found) -> None:
    devices: Counter[str] = Counter()
    gpus: Counter[str] = Counter()
    for lease in found.leases:
        assert all(device.live == (lease.ended_at is None) for device in lease.devices)
        if lease.ended_at is None:
            devices.update(device.device for device in lease.devices)
            gpus[lease.user] += len(lease.devices)
    queued = Counter(ticket.user for ticket in found.tickets.values() if ticket.state == State.QUEUED.value)
    servers = Counter((t.user, t.name) for t in found.tickets.values() if t.state != State.ENDED.value)
    assert max(devices.values(), default=0) <= 1
    assert max(gpus.values(), default=0) <= MOST_GPUS
    assert max(queued.values(), default=0) <= MOST_QUEUED
    assert max(servers.values(), default=0) <= 1


def _check_written_together(found: Found) -> None:
    """What one decision writes is there as a whole: ticket, lease, hold, notice and audit rows."""
    for ticket in found.tickets:
        assert found.events[ticket, "filed"] == 1
    leases = Counter(lease.ticket for lease in found.leases)
    granted = Counter({ticket: number for (ticket, event), number in found.events.items() if event == "granted"})
    assert leases == granted == found.told
    assert found.holds == Counter(lease.id for lease in found.leases)
    firsts = {ticket for ticket, event in found.events if event == "first_use"}
    assert {t.id for t in found.tickets.values() if t.state == State.RUNNING.value} <= firsts


def _check_acknowledged(found: Found, known: Acknowledged) -> None:
    for ticket, user in known.owners.items():
        assert ticket in found.tickets, f"the ticket {ticket} of {user} is lost"
        assert found.tickets[ticket].user == user
    for asked, ticket in known.by_key.items():
        assert found.by_key[asked] == ticket
    for done, number in known.events.items():
        assert found.events[done] >= number, (
            f"{done} was answered {number} times, and is there {found.events[done]} times"
        )
    anew = {ticket for ticket, event in found.events if event in _PROMISED_ANEW}
    assert all(found.tickets[ticket].starts_by == told for ticket, told in known.promised.items() if ticket not in anew)
    taken = {ticket for ticket, event in found.events if event == "taken_back"}  # it ends earlier, and starts again
    going_on = {lease.ticket for lease in found.leases if lease.ended_at is None and lease.stopping_since is None}
    assert not (known.given_back - taken) & going_on
    ends = {lease.ticket: lease.ends for lease in sorted(found.leases, key=lambda lease: lease.id)}
    assert all(ends[ticket] >= end for ticket, end in known.ends.items() if ticket not in taken)
    assert known.made - known.in_doubt - _may_end(known) <= found.standing
    assert not known.unmade & found.standing


def _may_end(known: Acknowledged) -> set[str]:
    """An override may have been replaced by another one of the same rule."""
    return {made for made in known.made if made.startswith("/overrides")}


def _check_ledger(engine: Engine, setting: Setting) -> None:
    desk = Desk(Store(engine), setting, lambda: datetime.now(timezone.utc), Changes())
    accounts = asyncio.run(desk.view(lambda view: planners_accounts(desk, view)))
    check_books(engine, desk, accounts)
    budgets, late = setting.catalogue.budgets(), setting.catalogue.queue.lateness
    for (project, _), work in accounts.items():
        rate = setting.catalogue.rate("demo-gpu", len(setting.inventory.devices))
        assert work <= budgets[project].work + rate * (late // TICK), f"{project} is over its budget"
