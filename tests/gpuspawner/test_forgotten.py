"""Processes that a killed hub forgot are found by what they were told, and nobody else's are touched."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gpuspawner.forgotten import end_forgotten, note_process


@contextmanager
def server(runtime: Path, user: str = "ada", name: str = "") -> Iterator[subprocess.Popen[bytes]]:
    told = {"JUPYTERHUB_USER": user, "JUPYTERHUB_SERVER_NAME": name, "LABPOOL_RUNTIME": str(runtime)}
    with subprocess.Popen(["sleep", "60"], env={**os.environ, **told}) as process:
        yield process
        process.kill()


async def test_process_is_found_by_its_note(tmp_path: Path):
    with server(tmp_path) as process:
        note_process(tmp_path, process.pid)
        assert await end_forgotten(tmp_path, "ada", "")
        assert process.wait(5)


async def test_process_forked_before_its_number_was_noted_is_found_with_all_that_it_started(tmp_path: Path):
    note_process(tmp_path, None)
    with server(tmp_path) as process, server(tmp_path) as kernel:
        assert await end_forgotten(tmp_path, "ada", "")
        assert process.wait(5)
        assert kernel.wait(5)


@pytest.mark.parametrize(("folder", "user", "name"), [("elsewhere", "ada", ""), (".", "eve", ""), (".", "ada", "two")])
async def test_other_servers_are_left_alone(tmp_path: Path, folder: str, user: str, name: str):
    with server(tmp_path / folder, user, name) as process:
        for noted in (None, process.pid):
            note_process(tmp_path, noted)
            assert not await end_forgotten(tmp_path, "ada", "")
        assert process.poll() is None


async def test_a_spoilt_note_names_nobody(tmp_path: Path):
    (tmp_path / "server.pid").write_text("-1 or so")
    assert not await end_forgotten(tmp_path, "ada", "")
