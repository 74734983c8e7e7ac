"""Migrations with data in the tables, up and down."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from alembic import command
from labpool.domain.leases import Slot
from labpool.domain.overrides import Override, Rule
from labpool.domain.tickets import Ticket
from labpool.domain.withdrawals import Act, Withdrawal
from labpool.store import Acts, Notice, ReservationSeries, Store, connect, migrate
from labpool.store.audit_check import Verdict
from labpool.store.audit_reading import verify_audit
from labpool.store.database import alembic_config
from sqlalchemy import Engine, text

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)


TICKET = """
INSERT INTO tickets (id, kind, "user", groups, name, project, profile, flavour, gpus, duration_s, requested_at, state,
                     attempt, ready, unclaimed)
VALUES (:id, 'server', 'ada', '[]', :id, 'vision', 'gpu-1', 'gpu', 1, 3600, :start, 'queued', 1, true, 0)
"""
SLOT = 'INSERT INTO slots (ticket, devices, start, "end") VALUES (:id, :devices, :start, :end)'
TIMES = {"start": "2026-03-29 01:30:00.000000", "end": "2026-03-29 02:30:00.000000"}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database with two queued tickets, in the first schema."""
    engine = connect(database_url)
    migrate(engine, "0001")
    with engine.begin() as connection:
        for ticket, devices in (("t1", '["sim:demo:gpu:0", "sim:demo:gpu:1"]'), ("t2", '["GPU-5b6c"]')):
            connection.execute(text(TICKET), {"id": ticket, **TIMES})
            connection.execute(text(SLOT), {"id": ticket, "devices": devices, **TIMES})
    yield engine
    engine.dispose()


def slots_in(engine: Engine) -> tuple[Slot, ...]:
    with Store(engine).view() as view:
        return view.slots()


def test_slots_of_the_first_schema_keep_their_place_on_their_devices_node(engine: Engine):
    migrate(engine)
    end = NOW + timedelta(hours=1)
    assert set(slots_in(engine)) == {Slot("t1", "demo", NOW, end), Slot("t2", socket.gethostname(), NOW, end)}


def test_going_back_keeps_the_tickets(engine: Engine):
    migrate(engine)
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0001")
    migrate(engine)
    assert slots_in(engine) == ()
    with Store(engine).view() as view:
        tickets: tuple[Ticket, ...] = view.open_tickets()
    assert [ticket.id for ticket in tickets] == ["t1", "t2"]


def test_going_back_forgets_reservations_and_keeps_the_tickets(engine: Engine):
    migrate(engine)
    times = (NOW, NOW + timedelta(hours=3), "Europe/Berlin", "FREQ=WEEKLY;COUNT=2", NOW + timedelta(days=7))
    series = ReservationSeries("r1", None, "", 0, "demo", *times, "New driver", "admin", NOW)
    with Store(engine).transaction() as change:
        change.save_reservation(series)
    with Store(engine).view() as view:
        assert view.reservations() == (series,)
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0003")
    migrate(engine)
    with Store(engine).view() as view:
        assert view.reservations() == ()
        assert [ticket.id for ticket in view.open_tickets()] == ["t1", "t2"]


AUDIT = "INSERT INTO audit (at, actor, ticket, event, detail) VALUES (:at, :actor, :ticket, :event, :detail)"
TRAIL = [
    ("ada", "t1", "filed", "queued, attempt 1"),
    ("planner", "t1", "granted", "devices GPU-5b6c"),
    ("pool", "t1", "start_tried", "the hub refused with status 400: ada is pending spawn"),
    ("engine", "t1", "trespasser", "process 7 (python 3) of mallory uses GPU-5b6c"),
    ("admin", None, "reserved", "r1: maintenance on demo"),
]


def test_audit_rows_that_exist_are_chained_with_pseudonyms_and_go_back(engine: Engine, database_url: str):
    migrate(engine, "0004")
    with engine.begin() as connection:
        for actor, ticket, event, detail in TRAIL:
            row = {"at": TIMES["start"], "actor": actor, "ticket": ticket, "event": event, "detail": detail}
            connection.execute(text(AUDIT), row)
        connection.execute(text("DELETE FROM audit WHERE id = 2"))  # a gap: rows have always been removable until now
    migrate(engine)
    assert verify_audit(database_url, ()) == Verdict(4, 0, None)
    told = [TRAIL[0], *TRAIL[2:]]
    with Store(engine).view() as view:
        assert [(row.actor, row.ticket, row.event, row.detail) for row in view.audit_trail()] == told
    with engine.begin() as connection:
        kept = str(connection.execute(text("SELECT actor, detail FROM audit")).all())
        assert not re.search(r"\b(ada|mallory|admin)\b", kept)
        command.downgrade(alembic_config(connection), "0004")
        rows = connection.execute(text("SELECT actor, ticket, event, detail FROM audit ORDER BY id")).all()
    assert [tuple(row) for row in rows] == told


def test_going_back_forgets_what_admins_said_and_keeps_the_tickets(engine: Engine):
    migrate(engine)
    drain = Withdrawal("w1", Act.DRAIN, "demo", "GPU-5b6c", "New fans", "admin", NOW, NOW + timedelta(days=1))
    fence = Withdrawal("w2", Act.FENCE, "demo", "", "Switched off", "admin", NOW)
    more = Override("o1", Rule.NOMINAL, "vision", "gpu", 3, "A deadline", "admin", NOW, NOW + timedelta(days=1))
    with Store(engine).transaction() as change:
        change.add_withdrawal(drain)
        change.add_withdrawal(fence)
        change.add_override(more)
    with Store(engine).view() as view:
        assert view.acts() == Acts((drain, fence), (more,))
    with Store(engine).transaction() as change:
        change.end_act("w1", NOW, "admin")
    with Store(engine).view() as view:
        assert view.acts() == Acts((fence,), (more,))
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0006")
    migrate(engine)
    with Store(engine).view() as view:
        assert view.acts() == Acts()
        assert [ticket.id for ticket in view.open_tickets()] == ["t1", "t2"]


LEASE = """
INSERT INTO leases (id, ticket, "user", name, project, flavour, starts, ends, start_tries, ended_at)
VALUES (:id, 't1', 'ada', '', 'vision', 'gpu', :starts, :ends, 0, :ended)
"""
DEVICE = "INSERT INTO leased_devices (lease, position, device, live) VALUES (:lease, :position, :device, :live)"


def test_leases_that_exist_are_booked_and_what_they_used_stays_the_same(engine: Engine):
    migrate(engine, "0004")
    times = {"starts": "2026-03-29 01:00:00.000000", "ends": "2026-03-29 03:00:00.000000"}
    ends = {1: "2026-03-29 02:00:00.500000", 2: "2026-03-29 03:00:01.000000", 3: None}
    with engine.begin() as connection:
        for lease, ended in ends.items():
            connection.execute(text(LEASE), {"id": lease, "ended": ended, **times})
            for position in range(2):
                row = {"lease": lease, "position": position, "device": f"{lease}-{position}", "live": ended is None}
                connection.execute(text(DEVICE), row)
    migrate(engine)
    rows = "SELECT lease, kind, devices, rate, amount FROM ledger ORDER BY id"
    with engine.begin() as connection:
        booked = [tuple(row) for row in connection.execute(text(rows)).all()]
        assert set(connection.execute(text("SELECT person FROM ledger")).scalars()) == set(
            connection.execute(text("SELECT pseudonym FROM people WHERE name = 'ada'")).scalars()
        )
    hour = 3_600_000
    assert booked == [
        (1, "hold", 2, 2000, 4 * hour),
        (1, "settlement", 2, 2000, 2 * hour + 1000),
        (1, "refund", 2, 2000, 2 * hour - 1000),
        (2, "hold", 2, 2000, 4 * hour),
        (2, "settlement", 2, 2000, 4 * hour),
        (2, "overrun", 2, 2000, 2000),
        (3, "hold", 2, 2000, 4 * hour),
    ]
    with Store(engine).view() as view:
        assert [(run.devices, run.ends - run.starts, run.charge) for run in view.ended_runs()] == [
            (2, timedelta(hours=1, seconds=0.5), 1.0),
            (2, timedelta(hours=2), 1.0),
        ]
        assert [lease.charge for lease in view.live_leases()] == [1.0]
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0004")
        assert len(connection.execute(text("SELECT id FROM leases")).all()) == 3


def test_going_back_keeps_what_a_notice_says_of_a_start(engine: Engine):
    migrate(engine)
    told = Notice("t1", "1/0/likely/1", "likely_changed", NOW, "Later than told.", starts_at=NOW + timedelta(hours=3))
    with Store(engine).transaction() as change:
        change.add_notice(told)
    with Store(engine).view() as view:
        assert view.last_notice_of("t1", "likely_changed") == told
        assert view.last_notice_of("t1", "near") is None
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0008")
    migrate(engine)
    with Store(engine).view() as view:
        assert view.last_notice_of("t1") == replace(told, starts_at=None)
