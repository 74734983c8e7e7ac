"""The log store as the gateway reads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from labpool_logs.gateway.log_store import LogStore

from tests.labpool_logs.event_files import log_scalars


def test_folder_that_cannot_be_read_hides_no_other_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log_scalars(tmp_path / "ada/vision/run-1", "loss", [1.0])
    (tmp_path / "ada/vision/closed").mkdir()

    def scandir(path: Path) -> object:  # root, as whom the tests may run, can read everything
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return really(path)

    really = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    store = LogStore(tmp_path)
    assert [(each.name, each.runs) for each in store.projects("ada")] == [("vision", 1)]
    assert store.unsafe("ada", "vision") is None
