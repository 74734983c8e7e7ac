"""The audit trail of a running pool: its heads in a second place, and nobody's name in it or in the log."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from labpool.service.second_place import second_place, to_syslog
from labpool.store.audit_check import Head, heads_in
from labpool.store.audit_reading import verify_audit

from tests.real_hub import wait_until
from tests.service.lab import Lab
from tests.service.running_pool import RunningPool

NewUser = Callable[[], str]


def heads(pool: RunningPool) -> list[Head]:
    path = pool.place().audit_heads
    return heads_in(path.read_text().splitlines()) if path.exists() else []


def last_row(pool: RunningPool) -> int:
    return pool.call(pool.parts.desk.view(lambda view: view.audited())).number


def test_head_is_written_hourly_and_at_a_clean_stop_and_the_trail_fits_it(lab: Lab, new_user: NewUser):
    pool = lab.pool
    pool.ask(new_user())
    before = len(heads(pool))
    pool.pass_time(timedelta(hours=1, minutes=1))
    pool.ask(new_user())  # something happens
    wait_until(lambda: len(heads(pool)) > before, "the hourly head")
    pool.ask(new_user())
    count, rows = len(heads(pool)), last_row(pool)
    assert heads(pool)[-1].link.number < rows
    pool.stop()
    try:
        assert len(heads(pool)) == count + 1
        assert heads(pool)[-1].link.number >= rows
        found = verify_audit(pool.database_url, heads(pool))
        assert (found.rows, found.broken) == (heads(pool)[-1].link.number, None)
    finally:
        pool.start()


def test_log_lines_and_rows_of_the_trail_bear_the_pseudonym(
    lab: Lab, new_user: NewUser, caplog: pytest.LogCaptureFixture
):
    user = new_user()
    with caplog.at_level(logging.INFO, logger="labpool.audit"):
        ticket = lab.running(user)
        lab.stop(user)
        lab.until(ticket, "ended", "stopped")
    said = [vars(record) for record in caplog.records if record.name == "labpool.audit"]
    mine = [line for line in said if line.get("ticket") == ticket.id]
    assert [line["message"] for line in mine][:2] == ["filed", "granted"]
    assert {line["actor"] for line in mine if str(line["actor"]).startswith("p-")} == {
        lab.pool.call(lab.pool.parts.desk.change(lambda change: change.pseudonym(user), replan=False))
    }
    assert user not in str([(line["actor"], line["detail"]) for line in said])
    assert lab.pool.trail(ticket.id)[:2] == ["filed", "granted"]


def test_second_place_that_fails_is_logged_and_stops_nothing(
    lab: Lab, new_user: NewUser, caplog: pytest.LogCaptureFixture
):
    path = lab.pool.place().audit_heads
    path.unlink(missing_ok=True)
    path.mkdir()
    try:
        lab.pool.ask(new_user())
        lab.pool.call(lab.pool.parts.head_keeper.write())
        assert "can't be written to its second place" in caplog.text
        assert lab.pool.ask(new_user()).status_code == 200
    finally:
        path.rmdir()
    lab.pool.call(lab.pool.parts.head_keeper.write())
    assert heads(lab.pool)


def test_heads_go_to_the_file_or_the_syslog_that_is_named(tmp_path: Path):
    second_place(str(tmp_path / "named"), tmp_path / "default")("one")
    second_place(None, tmp_path / "default")("two")
    assert [(tmp_path / name).read_text() for name in ("named", "default")] == ["one\n", "two\n"]
    assert second_place("syslog", tmp_path / "default") is to_syslog


def test_syslog_gets_one_line_as_labpool_audit(tmp_path: Path):
    line = json.dumps({"at": "2026-03-29T01:30:00+00:00", "row": 4, "hash": "ab"})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(tmp_path / "log"))
        to_syslog(line, str(tmp_path / "log"))
        assert daemon.recv(1000).decode() == f"<37>labpool-audit: {line}"
