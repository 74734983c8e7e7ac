"""What somebody was told, in order and from where they stopped reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from labpool.domain.tickets import EndReason, State, Ticket
from labpool.store import Notice, Store
from sqlalchemy import Engine

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)
TICKETS = tuple(
    Ticket(id_, user, frozenset(), id_, "vision", "gpu-1", "demo-gpu", 1, timedelta(hours=1), NOW)
    for id_, user in (("t1", "ada"), ("t2", "ada"), ("t3", "bert"))
)


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    store = Store(engine)
    with store.transaction() as change:
        for ticket in TICKETS:
            change.save_ticket(ticket)
    yield store
    store.close()


def tell(store: Store, *what: tuple[str, str]) -> None:
    """Keep notices of one transaction: tickets and kinds."""
    with store.transaction() as change:
        for ticket, kind in what:
            assert change.add_notice(Notice(ticket, kind, kind, NOW, f"{kind}.")) is not None


def told(store: Store, user: str, after: int | None) -> tuple[list[tuple[str, str]], int]:
    with store.view() as view:
        found = view.told(user, after)
    return [(notice.ticket, notice.kind) for _, notice in found.notices], found.last


def test_first_look_has_the_newest_of_each_open_ticket_and_later_ones_all_that_came_since(store: Store):
    assert told(store, "ada", None) == ([], 0)
    tell(store, ("t1", "near"), ("t2", "granted"), ("t1", "granted"), ("t3", "granted"))
    found, last = told(store, "ada", None)
    assert found == [("t2", "granted"), ("t1", "granted")]
    assert told(store, "ada", last) == ([], last)
    tell(store, ("t2", "ending"), ("t3", "ending"), ("t1", "ending"))
    assert told(store, "ada", last)[0] == [("t2", "ending"), ("t1", "ending")]
    assert told(store, "bert", last)[0] == [("t3", "ending")]


def test_notice_of_an_ended_ticket_is_told_to_who_goes_on_and_not_to_who_begins(store: Store):
    tell(store, ("t1", "granted"), ("t2", "granted"))
    _, last = told(store, "ada", None)
    with store.transaction() as change:
        change.add_notice(Notice("t1", "end", "ended_by_admin", NOW, "An admin ended it."))
        change.save_ticket(replace(TICKETS[0], state=State.ENDED, end_reason=EndReason.ENDED_BY_ADMIN))
    assert told(store, "ada", last)[0] == [("t1", "ended_by_admin")]
    assert told(store, "ada", None)[0] == [("t2", "granted")]
    assert told(store, "ada", 0)[0] == [("t1", "granted"), ("t2", "granted"), ("t1", "ended_by_admin")]


def test_number_from_before_a_restored_backup_counts_as_none(store: Store):
    tell(store, ("t1", "granted"))
    _, last = told(store, "ada", None)
    assert told(store, "ada", last + 100) == ([("t1", "granted")], last)
