"""Domain values to rows and back."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

from labpool.domain.leases import Lease, Slot
from labpool.domain.ledger import Posting
from labpool.domain.overrides import Override, Rule
from labpool.domain.tickets import EndReason, Priority, State, Ticket, TicketKind
from labpool.domain.withdrawals import Act, Withdrawal
from labpool.store.models import (
    LeaseRow,
    NoticeRow,
    OverrideRow,
    ReservationRow,
    SlotRow,
    TicketRow,
    WithdrawalRow,
)
from labpool.store.records import AskedOnce, Notice, ReservationSeries
from labpool.store.writing import Columns


def ticket_columns(ticket: Ticket) -> Columns:
    """A ticket's row."""
    return {
        "id": ticket.id,
        "kind": ticket.kind.value,
        "priority": ticket.priority.value,
        "user": ticket.user,
        "groups": sorted(ticket.groups),
        "name": ticket.name,
        "project": ticket.project,
        "profile": ticket.profile,
        "flavour": ticket.flavour,
        "gpus": ticket.gpus,
        "duration_s": ticket.duration.total_seconds(),
        "requested_at": ticket.requested_at,
        "state": ticket.state.value,
        "attempt": ticket.attempt,
        "ready": ticket.ready,
        "unclaimed": ticket.unclaimed,
        "starts_again": ticket.starts_again,
        "starts_by": ticket.starts_by,
        "likely_start": ticket.likely_start,
        "changed_at": ticket.changed_at,
        "end_reason": ticket.end_reason.value if ticket.end_reason else None,
        "moved_to": ticket.moved_to,
    }


def ticket_from(row: TicketRow) -> Ticket:
    """The ticket of a row."""
    return Ticket(
        id=row.id,
        kind=TicketKind(row.kind),
        priority=Priority(row.priority),
        user=row.user,
        groups=frozenset(row.groups),
        name=row.name,
        project=row.project,
        profile=row.profile,
        flavour=row.flavour,
        gpus=row.gpus,
        duration=timedelta(seconds=row.duration_s),
        requested_at=row.requested_at,
        state=State(row.state),
        attempt=row.attempt,
        ready=row.ready,
        unclaimed=row.unclaimed,
        starts_again=row.starts_again,
        starts_by=row.starts_by,
        likely_start=row.likely_start,
        changed_at=row.changed_at,
        end_reason=EndReason(row.end_reason) if row.end_reason else None,
        moved_to=row.moved_to,
    )


def lease_columns(lease: Lease) -> Columns:
    """A new lease's row."""
    return dict(
        changing_lease_columns(lease),
        ticket=lease.ticket,
        user=lease.user,
        name=lease.name,
        project=lease.project,
        flavour=lease.flavour,
        charge=lease.charge,
    )


def changing_lease_columns(lease: Lease) -> Columns:
    """What may change while a lease lives."""
    return {
        "starts": lease.starts,
        "ends": lease.ends,
        "absent_since": lease.absent_since,
        "ready_at": lease.ready_at,
        "start_tries": lease.start_tries,
        "stopping_since": lease.stopping_since,
        "stopping_for": lease.stopping_for.value if lease.stopping_for else None,
        "taken_unused": lease.taken_unused,
    }


def device_columns(lease_id: int, lease: Lease) -> list[Columns]:
    """Rows of a new lease's devices, which are live."""
    return [
        {"lease": lease_id, "position": position, "device": device, "live": True}
        for position, device in enumerate(lease.devices)
    ]


def lease_from(row: LeaseRow) -> Lease:
    """The lease of a row."""
    return Lease(
        ticket=row.ticket,
        user=row.user,
        name=row.name,
        project=row.project,
        flavour=row.flavour,
        devices=tuple(device.device for device in row.devices),
        starts=row.starts,
        ends=row.ends,
        absent_since=row.absent_since,
        ready_at=row.ready_at,
        start_tries=row.start_tries,
        stopping_since=row.stopping_since,
        stopping_for=EndReason(row.stopping_for) if row.stopping_for else None,
        charge=row.charge,
        taken_unused=row.taken_unused,
    )


def ledger_columns(lease_id: int, lease: Lease, person: str, posting: Posting) -> Columns:
    """The row of a posting for a lease, of a person under a pseudonym."""
    return {
        "lease": lease_id,
        "kind": posting.kind.value,
        "person": person,
        "project": lease.project,
        "flavour": lease.flavour,
        "devices": len(lease.devices),
        "rate": lease.rate,
        "start": posting.start,
        "end": posting.end,
        "amount": posting.amount,
    }


def slot_columns(slot: Slot) -> Columns:
    """A slot's row."""
    return {"ticket": slot.ticket, "node": slot.node, "start": slot.start, "end": slot.end}


def slot_from(row: SlotRow) -> Slot:
    """The slot of a row."""
    return Slot(row.ticket, row.node, row.start, row.end)


def reservation_row(series: ReservationSeries) -> ReservationRow:
    """A reservation's row."""
    return ReservationRow(**as_columns(series))


def notice_from(row: NoticeRow) -> Notice:
    """The notice of a row."""
    return Notice(**{field.name: getattr(row, field.name) for field in fields(Notice)})


def reservation_from(row: ReservationRow) -> ReservationSeries:
    """The reservation of a row."""
    return ReservationSeries(**{field.name: getattr(row, field.name) for field in fields(ReservationSeries)})


def withdrawal_row(withdrawal: Withdrawal) -> WithdrawalRow:
    """A withdrawal's row."""
    return WithdrawalRow(**as_columns(withdrawal) | {"act": withdrawal.act.value})


def withdrawal_from(row: WithdrawalRow) -> Withdrawal:
    """The withdrawal of a row."""
    columns = {field.name: getattr(row, field.name) for field in fields(Withdrawal)}
    return Withdrawal(**columns | {"act": Act(row.act)})


def override_row(override: Override) -> OverrideRow:
    """An override's row."""
    return OverrideRow(**as_columns(override) | {"rule": override.rule.value})


def override_from(row: OverrideRow) -> Override:
    """The override of a row."""
    columns = {field.name: getattr(row, field.name) for field in fields(Override)}
    return Override(**columns | {"rule": Rule(row.rule)})


def as_columns(value: Notice | ReservationSeries | Withdrawal | Override | AskedOnce) -> dict[str, object]:
    """A flat value's fields under their columns' names, which are the same."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
