import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from tfpresets import Notice, NoticeError, notice

ENDING = {
    "kind": "ending",
    "at": "2026-11-22T17:45:00Z",
    "ends_at": "2026-11-22T18:00:00+00:00",
    "message": "This server ends at 18:00.",
}


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LABPOOL_RUNTIME", str(tmp_path))
    return tmp_path


def test_a_notice_is_read_with_its_times(runtime: Path):
    (runtime / "notice.json").write_text(json.dumps(ENDING))
    assert notice() == Notice(
        "ending",
        datetime(2026, 11, 22, 17, 45, tzinfo=timezone.utc),
        datetime(2026, 11, 22, 18, 0, tzinfo=timezone.utc),
        "This server ends at 18:00.",
    )


def test_a_notice_without_an_end_is_read_too(runtime: Path):
    (runtime / "notice.json").write_text(json.dumps(ENDING | {"ends_at": None}))
    current = notice()
    assert current is not None
    assert current.ends_at is None


def test_there_is_none_before_one_is_given(runtime: Path):
    assert notice() is None


def test_there_is_none_outside_labpool(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LABPOOL_RUNTIME", raising=False)
    assert notice() is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "ending", "at": "soon", "message": ""}', "\ufffe"])
def test_a_file_that_is_no_notice_is_an_error_that_names_it(text: str, runtime: Path):
    (runtime / "notice.json").write_text(text, encoding="utf-8")
    with pytest.raises(NoticeError, match=r"notice\.json"):
        notice()
