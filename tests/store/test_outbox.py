"""The outbox: claimed before it is sent, one a user, and due again where nobody says what became of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from labpool.domain.tickets import Ticket
from labpool.store import Notice, Outcome, Preferences, Store, Way, connect, migrate
from labpool.store.database import alembic_config
from sqlalchemy import inspect

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
TICKET = Ticket("t1", "ada", frozenset(), "", "vision", "gpu-1", "demo-gpu", 1, timedelta(hours=1), NOW)
NOTICE = Notice("t1", "1/granted", "granted", NOW, "It is your turn.", NOW + timedelta(hours=1))
CHOSEN = Preferences(
    "ada", "ada@example.org", "", NOW, frozenset({"granted", "ending"}), "https://example.org/", "whsec_AA==",
    frozenset({"granted"}), "22:00", "07:00", "Europe/Berlin",
)  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/pool.sqlite"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    engine = connect(url)
    migrate(engine)
    store = Store(engine)
    yield store
    store.close()


def posted(store: Store, *users: str) -> None:
    with store.transaction() as change:
        change.save_ticket(TICKET)
        number = change.add_notice(NOTICE)
        for user in users:
            change.outbox.post(user, Way.EMAIL, NOW, number)


def claimed(store: Store, now: datetime = NOW, most: int = 8, but: tuple[str, ...] = ()) -> list[tuple[str, int]]:
    with store.transaction() as change:
        deliveries = change.outbox.claim(Way.EMAIL, now, now + 2 * MINUTE, most, but)
    assert all(each.notice == NOTICE for each in deliveries)
    return [(each.user, each.tries) for each in deliveries]


def test_preferences_come_back_as_they_were_saved(store: Store):
    with store.transaction() as change:
        assert change.preferences.of("ada") == Preferences("ada")
        change.preferences.save(CHOSEN)
    with store.view() as view:
        assert view.preferences.of("ada") == CHOSEN
        assert view.preferences.of("bert") == Preferences("bert")


def test_ways_of_a_kind():
    assert CHOSEN.ways("granted") == (Way.EMAIL, Way.WEBHOOK)
    assert CHOSEN.ways("ending") == (Way.EMAIL,)
    assert Preferences("bert", unconfirmed="b@example.org", email_kinds=frozenset({"granted"})).ways("granted") == ()


def test_what_is_claimed_is_not_claimed_again_before_its_time(store: Store):
    posted(store, "ada", "bert")
    assert claimed(store, most=1) == [("ada", 1)]
    assert claimed(store) == [("bert", 1)]
    assert claimed(store, NOW + MINUTE) == []
    assert claimed(store, NOW + 2 * MINUTE) == [("ada", 2), ("bert", 2)]


def test_one_delivery_a_user_and_none_for_who_has_one_under_way(store: Store):
    posted(store, "ada", "ada", "bert")
    assert claimed(store, but=("bert",)) == [("ada", 1)]
    assert claimed(store) == [("ada", 1), ("bert", 1)]


def test_what_is_done_is_never_due(store: Store):
    posted(store, "ada")
    with store.transaction() as change:
        (delivery,) = change.outbox.claim(Way.EMAIL, NOW, NOW, 8)
        assert change.outbox.waiting() == {Way.EMAIL: 1, Way.WEBHOOK: 0}
        change.outbox.done(delivery.id, NOW, Outcome.SENT)
        assert change.outbox.waiting() == {Way.EMAIL: 0, Way.WEBHOOK: 0}
        assert not change.outbox.is_due(Way.EMAIL, NOW + timedelta(days=9))
    assert claimed(store, NOW + timedelta(days=9)) == []


def test_what_was_put_off_counts_as_not_tried(store: Store):
    posted(store, "ada")
    with store.transaction() as change:
        (delivery,) = change.outbox.claim(Way.EMAIL, NOW, NOW, 8)
        change.outbox.put_off(delivery.id, NOW + 5 * MINUTE, uncounted=True)
    assert claimed(store, NOW + 4 * MINUTE) == []
    assert claimed(store, NOW + 5 * MINUTE) == [("ada", 1)]


def test_a_notice_and_its_way_out_are_undone_together(store: Store):
    with pytest.raises(RuntimeError), store.transaction() as change:
        change.save_ticket(TICKET)
        change.outbox.post("ada", Way.EMAIL, NOW, change.add_notice(NOTICE))
        raise RuntimeError
    with store.view() as view:
        assert view.last_notice_of("t1") is None
        assert not view.outbox.is_due(Way.EMAIL, NOW)


KILLED = """
import os, signal, sys
from datetime import datetime, timedelta
from labpool.store import Store, Way, connect
now = datetime.fromisoformat(sys.argv[2])
with Store(connect(sys.argv[1])).transaction() as change:
    claimed = change.outbox.claim(Way.EMAIL, now, now + timedelta(minutes=2), 8)
print(claimed[0].id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_was_sending_is_sent_again_under_the_same_id(store: Store, url: str):
    posted(store, "ada")
    command_line = [sys.executable, "-c", KILLED, url, NOW.isoformat()]
    killed = subprocess.run(command_line, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert claimed(store, NOW + MINUTE) == []
    with store.transaction() as change:
        (again,) = change.outbox.claim(Way.EMAIL, NOW + 2 * MINUTE, NOW + 4 * MINUTE, 8)
    assert (again.id, again.tries) == (killed.stdout.strip(), 2)


def test_going_back_forgets_preferences_and_keeps_notices(url: str):
    engine = connect(url)
    migrate(engine)
    store = Store(engine)
    posted(store, "ada")
    with store.transaction() as change:
        change.preferences.save(CHOSEN)
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0007")
    assert {"preferences", "deliveries"}.isdisjoint(inspect(engine).get_table_names())
    migrate(engine)
    with Store(engine).view() as view:
        assert view.last_notice_of("t1") == NOTICE
        assert view.preferences.of("ada") == Preferences("ada")
    engine.dispose()


def test_what_was_done_long_ago_is_forgotten_and_its_notice_and_what_is_to_be_sent_stay(store: Store):
    posted(store, "ada", "bert", "eve")
    with store.transaction() as change:
        first, second, _ = change.outbox.claim(Way.EMAIL, NOW, NOW, 8)
        change.outbox.done(first.id, NOW, Outcome.SENT)
        change.outbox.done(second.id, NOW + MINUTE, Outcome.GIVEN_UP)
        assert not change.outbox.has_done(NOW)
        change.outbox.forget(NOW + 2 * MINUTE, most=1)
        assert change.outbox.has_done(NOW + 2 * MINUTE)
        change.outbox.forget(NOW + 2 * MINUTE, most=8)
        assert not change.outbox.has_done(NOW + 2 * MINUTE)
        assert change.last_notice_of("t1") == NOTICE
    assert claimed(store) == [("eve", 2)]
