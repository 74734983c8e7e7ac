from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from labpool.domain.leases import Lease, Slot
from labpool.domain.tickets import EndReason, Event, State, Ticket
from labpool.store import Acts, AuditEntry, Notice, ReservationSeries, Store, connect, migrate
from labpool.store.database import alembic_config
from labpool.store.models import Base
from sqlalchemy import event, inspect
from sqlalchemy.exc import IntegrityError

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)
TICKET = Ticket(
    "t1", "ada", frozenset({"vision"}), "", "vision", "gpu-1", "demo-gpu", 1, timedelta(hours=2.5), NOW, starts_by=NOW
)
LEASE = Lease("t1", "ada", "", "vision", "demo-gpu", ("demo-0", "demo-3"), NOW, NOW + timedelta(hours=2))

SERIES = ReservationSeries(
    "r1", "vision", "demo-gpu", 2, "", NOW, NOW + timedelta(hours=3), "Europe/Berlin", "FREQ=WEEKLY", None, "Course",
    made_by="olga", made_at=NOW,
)  # fmt: skip


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    engine = connect(database_url)
    migrate(engine)
    store = Store(engine)
    yield store
    assert looked_at(store) == looked_at(Store(engine)), "what is kept in memory is not what the database holds"
    store.close()


def looked_at(store: Store) -> tuple[object, ...]:
    with store.view() as view:
        slots = tuple(sorted(view.slots(), key=lambda slot: slot.ticket))  # the database keeps them in no order
        return view.open_tickets(), view.live_leases(), slots, list(view.ended_runs()), view.reservations()


def test_what_was_saved_comes_back_equal(store: Store):
    slot = Slot("t1", "demo", NOW, NOW + timedelta(hours=1))
    taken = replace(LEASE, taken_unused=True)
    with store.transaction() as change:
        change.save_ticket(TICKET)
        change.save_lease(LEASE)
        change.save_lease(taken)
        change.replace_slots([slot])
    assert looked_at(store) == ((TICKET,), (taken,), (slot,), [], ())


def test_reservations_are_the_same_until_one_is_made_or_cancelled(store: Store):
    maintenance = replace(SERIES, id="r2", project=None, flavour="", devices=0, node="demo", repeat=None)
    with store.transaction() as change:
        change.save_reservation(SERIES)
        change.save_reservation(replace(maintenance, until=SERIES.end))
    with store.transaction() as change:
        change.save_ticket(TICKET)
        found = change.reservations()
    assert found == (SERIES, replace(maintenance, until=SERIES.end))
    with store.transaction() as change:
        assert change.reservations() is found
        change.save_reservation(replace(SERIES, cancelled_at=NOW, cancelled_by="admin"))
        assert [each.id for each in change.reservations()] == ["r2"]


def test_slots_are_replaced_one_by_one(store: Store):
    first, second, third = (Slot(name, "demo", NOW, NOW + timedelta(hours=1)) for name in ("t1", "t2", "t3"))
    moved = replace(second, node="other")
    with store.transaction() as change:
        for name in ("t1", "t2", "t3"):
            change.save_ticket(replace(TICKET, id=name, user=name))
        change.replace_slots([first, second])
    with store.transaction() as change:
        change.replace_slots([moved, third])
    assert looked_at(store)[2] == (moved, third)


def test_nothing_of_a_failed_transaction_is_kept(store: Store):
    with pytest.raises(ZeroDivisionError), store.transaction() as change:
        change.save_ticket(TICKET)
        raise ZeroDivisionError
    with store.transaction() as view:
        assert view.open_tickets() == ()


def test_database_refuses_a_device_in_two_live_leases(store: Store):
    with store.transaction() as change:
        change.save_ticket(TICKET)
        change.save_ticket(replace(TICKET, id="t2", user="bert"))
        change.save_lease(LEASE)
    with pytest.raises(IntegrityError), store.transaction() as change:
        change.save_lease(replace(LEASE, ticket="t2", devices=("demo-3",)))
    with store.transaction() as change:
        change.end_lease("t1", NOW)
        change.save_lease(replace(LEASE, ticket="t2", devices=("demo-3",)))
        assert [lease.ticket for lease in change.live_leases()] == ["t2"]


def test_database_refuses_a_second_open_ticket_for_one_server(store: Store):
    with store.transaction() as change:
        change.save_ticket(TICKET)
    with pytest.raises(IntegrityError), store.transaction() as change:
        change.save_ticket(replace(TICKET, id="t2"))
    with store.transaction() as change:
        change.save_ticket(TICKET.after(Event.END, NOW, EndReason.CANCELLED))
        change.save_ticket(replace(TICKET, id="t2"))
        assert [(t.id, t.state) for t in change.tickets_of("ada")] == [("t2", State.QUEUED), ("t1", State.ENDED)]


def test_ended_lease_holds_nothing(store: Store):
    with store.transaction() as change:
        change.save_ticket(TICKET)
        change.save_lease(LEASE)
        change.end_lease("t1", NOW)
        assert change.lease_of("t1") is None
        assert change.live_leases() == ()


def test_ended_lease_is_a_run_up_to_its_end_and_never_past_the_hours_asked_for(store: Store):
    with store.transaction() as change:
        for name, ended in (("t1", 1), ("t2", 3)):
            change.save_ticket(replace(TICKET, id=name, user=name))
            change.save_lease(replace(LEASE, ticket=name, devices=(f"{name}-0", f"{name}-1")))
            change.end_lease(name, NOW + timedelta(hours=ended))
        ends = [(run.devices, run.starts, run.ends) for run in change.ended_runs()]
    assert ends == [(2, NOW, NOW + timedelta(hours=1)), (2, NOW, LEASE.ends)]


def test_notice_with_the_same_key_is_kept_once(store: Store):
    with store.transaction() as change:
        change.save_ticket(TICKET)
        change.add_notice(Notice("t1", "1/15", "ending", NOW, "first"))
        change.add_notice(Notice("t1", "1/15", "ending", NOW, "again"))
        last = change.last_notice_of("t1")
        assert last is not None
        assert last.message == "first"


def test_audit_trail_keeps_the_order_of_writing(store: Store):
    entries = tuple(AuditEntry(NOW, "ada", event, "t1") for event in ("filed", "granted", "ended"))
    with store.transaction() as change:
        for entry in entries:
            change.audit(entry)
        assert change.audit_trail("t1") == entries


def test_reading_does_not_wait_for_a_writer(store: Store):
    with store.transaction() as change:
        change.save_ticket(TICKET)
        with store.view() as view:
            assert view.open_tickets() == ()


def test_naive_time_is_refused(store: Store):
    with pytest.raises(Exception, match="naive time"), store.transaction() as change:
        change.audit(AuditEntry(NOW.replace(tzinfo=None), "ada", "filed"))


def test_migrations_give_exactly_the_models_schema_and_go_back_to_nothing(database_url: str):
    engine = connect(database_url)
    migrate(engine)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_committed_work_survives_in_a_second_process_view(database_url: str):
    first, second = (Store(connect(database_url)) for _ in range(2))
    migrate(first._engine)
    with first.transaction() as change:
        change.save_ticket(TICKET)
    with second.transaction() as view:
        assert view.ticket("t1") == TICKET
    for store in (first, second):
        store.close()


def test_what_is_looked_at_in_every_decision_is_read_once_at_a_start(store: Store, database_url: str):
    with store.transaction() as change:
        change.save_ticket(TICKET)
    engine = connect(database_url)
    started, asked = Store(engine), list[str]()
    event.listen(engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    for _ in range(2):
        with started.view() as view:
            assert view.open_tickets() == (TICKET,)
        assert started.acts() == Acts()
    assert sum("FROM tickets" in statement for statement in asked) == 1
    started.close()
