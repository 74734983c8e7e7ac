"""Which of several processes decides, over either database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from labpool.store import (
    Leadership,
    NotLeading,
    Seat,
    Store,
    StoreUnavailable,
    connect,
    leadership,
    migrate,
    restore_backup,
    write_backup,
)
from sqlalchemy import Engine, text

from tests.postgres import RunningPostgres
from tests.real_hub import wait_until
from tests.store.test_store import TICKET

Process = tuple[Leadership, Store]


@pytest.fixture
def process(database_url: str) -> Iterator[Callable[[str], Process]]:
    """Another pool process's part in it, by name."""
    engines: list[Engine] = []

    def begin(name: str) -> Process:
        engine = connect(database_url)
        engines.append(engine)
        migrate(engine)
        part = leadership(engine, name)
        return part, Store(engine, part)

    yield begin
    for engine in engines:
        engine.dispose()


def open_tickets(store: Store) -> list[str]:
    with store.view() as view:
        return [ticket.id for ticket in view.open_tickets()]


def test_one_leads_and_the_other_is_told_who(process: Callable[[str], Process]):
    (first, first_store), (second, second_store) = process("a"), process("b")
    assert (first.seek(), second.seek(), first.seek()) == (Seat(True, "a"), Seat(False, "a"), Seat(True, "a"))
    with first_store.transaction() as change:
        change.save_ticket(TICKET)
    with pytest.raises(NotLeading), second_store.transaction():
        pass
    with pytest.raises(NotLeading):
        open_tickets(second_store)


def test_who_gives_up_is_followed_at_once_and_writes_nothing_any_more(process: Callable[[str], Process]):
    (first, first_store), (second, second_store) = process("a"), process("b")
    first.seek()
    first.give_up()
    assert second.seek() == Seat(True, "b")
    with pytest.raises(NotLeading), first_store.transaction() as change:
        change.save_ticket(TICKET)
    assert open_tickets(second_store) == []


def test_who_gave_up_does_not_lead_again_by_a_late_sign_of_life(process: Callable[[str], Process]):
    (first, _), (second, _) = process("a"), process("b")
    first.seek()
    first.give_up()
    assert not first.seek().leads
    assert second.seek() == Seat(True, "b")


@pytest.fixture
def on_postgres(postgres: RunningPostgres) -> Iterator[tuple[str, Process, Process]]:
    """A database with two processes, of which the first leads."""
    url = postgres.new_database()
    engines = [connect(url), connect(url)]
    migrate(engines[0])
    parts = [leadership(engine, name) for engine, name in zip(engines, "ab", strict=True)]
    parts[0].seek()
    first, second = ((part, Store(engine, part)) for part, engine in zip(parts, engines, strict=True))
    yield url, first, second
    for engine in engines:
        engine.dispose()


def let_its_time_pass(url: str) -> None:
    """As if the leader had given no sign of life."""
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE leader SET expires_at = clock_timestamp()"))
    engine.dispose()


@pytest.mark.postgresql
def test_leader_without_a_sign_of_life_is_replaced_and_can_neither_write_nor_read(
    on_postgres: tuple[str, Process, Process],
):
    url, (first, first_store), (second, second_store) = on_postgres
    with first_store.transaction() as change:
        change.save_ticket(TICKET)
    let_its_time_pass(url)
    with first_store.transaction():
        pass  # nobody has taken its place
    assert second.seek() == Seat(True, "b")
    with pytest.raises(NotLeading), first_store.transaction() as change:
        change.end_lease("t1", TICKET.requested_at)
    with pytest.raises(NotLeading):
        open_tickets(first_store)
    assert first.seek() == Seat(False, "b")
    assert open_tickets(second_store) == ["t1"]


@pytest.mark.postgresql
def test_who_was_replaced_never_leads_again_for_what_it_remembers_is_old(on_postgres: tuple[str, Process, Process]):
    url, (first, first_store), (second, _) = on_postgres
    let_its_time_pass(url)
    second.seek()
    let_its_time_pass(url)
    assert first.seek() == Seat(False, "b")
    with pytest.raises(NotLeading):
        open_tickets(first_store)


@pytest.mark.postgresql
def test_leader_paused_in_a_transaction_loses_it_and_is_replaced(on_postgres: tuple[str, Process, Process]):
    _, (_, first_store), (second, second_store) = on_postgres

    def leads() -> bool:
        with suppress(StoreUnavailable):  # the paused one's transaction is still in the way
            return second.seek().leads
        return False

    with pytest.raises(StoreUnavailable), first_store.transaction() as change:
        change.save_ticket(TICKET)
        wait_until(leads, "a new leader", 30)
    with pytest.raises(NotLeading):
        open_tickets(first_store)
    assert open_tickets(second_store) == []


@pytest.mark.postgresql
def test_leader_from_before_a_restore_is_not_taken_for_the_one_after_it(
    on_postgres: tuple[str, Process, Process], tmp_path: Path
):
    url, (first, first_store), (second, second_store) = on_postgres
    write_backup(url, tmp_path / "pool.backup")
    first.give_up()
    second.seek()
    first_store.close()
    second_store.close()
    restore_backup(url, tmp_path / "pool.backup")
    third = leadership(connect(url), "c")
    assert third.seek() == Seat(True, "c")  # at once, and with the epoch that the first one had
    for store in (first_store, second_store):
        with pytest.raises(NotLeading), store.transaction():
            pass
