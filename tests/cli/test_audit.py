"""`labpool audit`, run as people run it, on the store of a pool."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Labpool
from tests.settings.conftest import SMALL
from tests.store.altered_trails import ALTERATIONS, alter, write_trail


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a trail of twelve rows and its heads."""
    write_trail(tmp_path)
    return tmp_path


def test_trail_is_listed_by_ticket_actor_and_time(labpool: Labpool, data: Path):
    done = labpool("audit", "--data", data, "--ticket", "t1", "--actor", "ada", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["number"] for row in rows] == [1, 3, 5, 7, 9, 11]
    assert (rows[0]["actor"], rows[0]["event"], rows[0]["at"]) == ("ada", "event-1", "2026-03-29T01:31:00+00:00")
    later = labpool("audit", "--data", data, "--since", "2026-03-29T01:40:00", "--json", TZ="UTC")
    assert [row["number"] for row in json.loads(later.stdout)["rows"]] == [10, 11, 12]
    assert labpool("audit", "--data", data, "--actor", "nobody", "--json").stdout.split() == ["{", '"rows":', "[]", "}"]
    shown = labpool("audit", "--data", data).stdout
    assert "2026-03-29 01:31:00" in shown
    assert "detail 12" in shown


def test_intact_trail_is_exit_code_0(labpool: Labpool, data: Path):
    done = labpool("audit", "verify", "--data", data)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "All 12 rows follow on each other, and fit the 3 heads of the second place.\n"


@pytest.mark.parametrize("altered", ["changed", "cut", "changed and all hashes calculated anew"])
def test_altered_trail_is_exit_code_3_and_the_row_is_named(labpool: Labpool, data: Path, altered: str):
    how, fault, row = ALTERATIONS[altered]
    alter(data / "pool.sqlite", how)
    done = labpool("audit", "verify", "--data", data, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["intact"]) == (3, False)
    assert (told["broken"]["fault"], told["broken"]["row"]) == (fault, row)
    said = labpool("audit", "verify", "--data", data)
    assert (said.returncode, said.stdout) == (3, "")
    assert said.stderr == f"altered: {told['broken']['message']}\n"


def test_trail_without_heads_is_exit_code_4(labpool: Labpool, data: Path):
    (data / "audit-heads").rename(data / "elsewhere")
    done = labpool("audit", "verify", "--data", data)
    assert done.returncode == 4
    assert "--heads" in done.stderr
    assert labpool("audit", "verify", "--data", data, "--heads", data / "elsewhere").returncode == 0
    missing = labpool("audit", "verify", "--data", data, "--heads", data / "nowhere")
    assert (missing.returncode, "nowhere: can't be read" in missing.stderr) == (1, True)


def test_heads_are_looked_for_where_pool_yaml_says(
    labpool: Labpool, data: Path, tmp_path_factory: pytest.TempPathFactory
):
    config = tmp_path_factory.mktemp("config")
    moved = (data / "audit-heads").rename(config / "heads")
    (config / "pool.yaml").write_text(f"{SMALL}\naudit: {{heads: {moved}}}\n")
    assert labpool("audit", "verify", "--data", data, LABPOOL_CONFIG=str(config)).returncode == 0
    (config / "pool.yaml").write_text(f"{SMALL}\naudit: {{heads: syslog}}\n")
    assert labpool("audit", "verify", "--data", data, LABPOOL_CONFIG=str(config)).returncode == 4
    (config / "pool.yaml").write_text(f"{SMALL}\naudit: {{heads: heads}}\n")
    refused = labpool("audit", "verify", "--data", data, LABPOOL_CONFIG=str(config))
    assert refused.returncode == 1
    assert "text: a path that begins with /, or the word syslog" in refused.stderr


def test_missing_store_is_exit_code_1(labpool: Labpool, tmp_path: Path):
    for command in (("audit",), ("audit", "verify")):
        done = labpool(*command, "--data", tmp_path / "none")
        assert (done.returncode, done.stdout) == (1, "")
        assert "no such file" in done.stderr
