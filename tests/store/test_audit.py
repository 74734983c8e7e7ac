"""The audit trail: chained, with pseudonyms, and whatever is done to it is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from labpool.settings import sqlite_url
from labpool.store import AuditEntry, AuditWanted, Head, Part, Store, connect, migrate
from labpool.store.audit_chain import BEGINNING
from labpool.store.audit_check import heads_in
from labpool.store.audit_reading import read_audit, verify_audit

from tests.store.altered_trails import ALTERATIONS, NOW, ROWS, alter, write_trail

NEEDS_HEADS = [name for name, (_, fault, _) in ALTERATIONS.items() if fault in {"cut", "rewritten"}]


@pytest.fixture
def trail(tmp_path: Path) -> tuple[Path, Path]:
    return write_trail(tmp_path)


def heads_of(path: Path) -> list[Head]:
    return heads_in(path.read_text().splitlines())


def test_untouched_trail_is_intact(trail: tuple[Path, Path]):
    path, heads = trail
    found = verify_audit(sqlite_url(path), heads_of(heads))
    assert (found.rows, found.heads, found.broken) == (ROWS, 3, None)
    alter(path, lambda rows: rows)
    assert verify_audit(sqlite_url(path), heads_of(heads)).broken is None


@pytest.mark.parametrize("done", ALTERATIONS)
def test_whatever_is_done_to_the_trail_is_found_and_the_row_named(done: str, trail: tuple[Path, Path]):
    path, heads = trail
    how, fault, row = ALTERATIONS[done]
    alter(path, how)
    broken = verify_audit(sqlite_url(path), heads_of(heads)).broken
    assert broken is not None
    assert (broken.fault.value, broken.row) == (fault, row)


@pytest.mark.parametrize("done", NEEDS_HEADS)
def test_only_the_second_place_tells_of_a_cut_or_rewritten_trail(done: str, trail: tuple[Path, Path]):
    path, _ = trail
    alter(path, ALTERATIONS[done][0])
    assert verify_audit(sqlite_url(path), ()).broken is None


def test_heads_are_read_from_lines_of_syslog_and_a_torn_one_is_passed_over(trail: tuple[Path, Path]):
    lines = trail[1].read_text().splitlines()
    logged = [f"Mar 29 01:30:00 node7 labpool-audit: {line}" for line in lines]
    assert heads_in([*logged, lines[0][:30], "restarted", '{"at": 1}']) == heads_of(trail[1])


def test_people_stand_in_the_trail_under_pseudonyms_and_are_shown_by_name(trail: tuple[Path, Path], tmp_path: Path):
    store = Store(connect(sqlite_url(trail[0])))
    with store.transaction() as change:
        written = change.audit(AuditEntry(NOW, Part.POOL, "start_tried", "t1", "ada is pending; adam is not"))
        pseudonym = change.pseudonym("ada")
        assert change.audit_trail("t1")[-1].detail == "ada is pending; adam is not"
        assert {entry.actor for entry in change.audit_trail("t1")} == {"ada", "pool"}
    store.close()
    assert written.detail == f"{pseudonym} is pending; adam is not"
    hers = read_audit(sqlite_url(trail[0]), AuditWanted(actor="ada"))
    assert [row.event for row in hers] == [f"event-{n}" for n in range(1, 13, 2)]
    assert read_audit(sqlite_url(trail[0]), AuditWanted(actor=pseudonym)) == hers


def test_person_named_like_a_part_of_labpool_is_told_from_it(trail: tuple[Path, Path]):
    store = Store(connect(sqlite_url(trail[0])))
    with store.transaction() as change:
        assert change.audit(AuditEntry(NOW, "pool", "filed")).actor == change.pseudonym("pool") != "pool"
    store.close()


def test_a_failed_transaction_leaves_no_gap_and_no_pseudonym(database_url: str):
    engine = connect(database_url)
    migrate(engine)
    store = Store(engine)
    with pytest.raises(ZeroDivisionError), store.transaction() as change:
        change.audit(AuditEntry(NOW, "ada", "filed"))
        raise ZeroDivisionError
    with store.transaction() as change:
        assert change.audited() == BEGINNING
        change.audit(AuditEntry(NOW, "bert", "filed"))
        assert change.audited().number == 1
    assert verify_audit(database_url, ()).rows == 1
    store.close()
