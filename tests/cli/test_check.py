"""`labpool check`, run as people run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Labpool
from tests.settings.conftest import DEMO, SMALL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pool.yaml").write_text(SMALL)
    return tmp_path


def test_valid_file_is_summed_up(labpool: Labpool, folder: Path):
    done = labpool("check", folder)
    assert done.returncode == 0
    assert done.stderr == ""
    for part in ("A GPU", "CPU only", "1 of gpu", "2 gpu", "cpu, one", f"{folder}/pool.yaml is valid."):
        assert part in done.stdout


def test_what_a_project_lends_and_its_budget_stand_in_the_table(labpool: Labpool, folder: Path):
    rules = "{gpu: 2}\n    lend: {gpu: 1}\n    budget: {gpu_hours: 12000, per: week}"
    (folder / "pool.yaml").write_text("timezone: Europe/Berlin\n" + SMALL.replace("{gpu: 2}", rules))
    [row] = [line for line in labpool("check", folder).stdout.splitlines() if line.startswith("│ vision")]
    assert [cell.strip() for cell in row.split("│")[3:7]] == ["2 gpu", "", "1 gpu", "12000 a week"]
    [project] = json.loads(labpool("check", "--json", folder).stdout)["projects"]
    assert project["budget"] == {"gpu_hours": 12000, "per": "week", "timezone": "Europe/Berlin"}
    (folder / "pool.yaml").write_text(SMALL)
    [project] = json.loads(labpool("check", "--json", folder).stdout)["projects"]
    assert (project["lend"], project["budget"]) == ({"gpu": 2}, None)


def test_all_errors_are_printed_one_a_line(labpool: Labpool, folder: Path):
    (folder / "pool.yaml").write_text(SMALL.replace("gpus: 1", "gpus: [bold]").replace("cpu, one", "cpu, " + "x" * 30))
    done = labpool("check", folder)
    assert done.returncode == 1
    assert done.stdout == ""
    first, second, count = done.stderr.splitlines()
    assert first == (
        "error pool.yaml:6: profiles.one.gpus: expected a whole number from 0 to 64, got a list of 1. "
        "Write, for example, gpus: 1"
    )
    assert second.startswith("error pool.yaml:12: projects.vision.profiles[1]: no profile is named")
    assert count.startswith(f"{folder}/pool.yaml: 2 errors.")


def test_names_with_brackets_are_printed_as_they_are(labpool: Labpool, folder: Path):
    (folder / "pool.yaml").write_text(SMALL.replace("title: Vision", 'title: "[red]Vision[/red]"'))
    assert "[red]Vision[/red]" in labpool("check", folder).stdout


def test_warnings_leave_the_file_valid(labpool: Labpool, folder: Path):
    (folder / "pool.yaml").write_text(SMALL.replace("{gpu: 2}", "{gpu: 9}"))
    done = labpool("check", folder)
    assert done.returncode == 0
    assert "nominal sums to 9 of gpu" in done.stderr


def test_profile_that_fits_no_node_is_shown_as_hidden_with_the_reason(labpool: Labpool, folder: Path):
    (folder / "pool.yaml").write_text(SMALL.replace("devices: {gpu: 4}", "devices: {gpu: 0}"))
    report = json.loads(labpool("check", "--json", folder).stdout)
    assert {row["name"]: row["hidden"] for row in report["profiles"]} == {
        "cpu": "",
        "one": "There is no A GPU in this pool.",
    }


def test_json_tells_the_same_to_programs(labpool: Labpool, folder: Path):
    assert json.loads(labpool("check", "--json", folder).stdout)["valid"]
    (folder / "pool.yaml").write_text("a: [\n")
    done = labpool("check", "--json", folder)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert (report["valid"], report["errors"][0]["file"], report["errors"][0]["line"]) == (False, "pool.yaml", 2)


def test_file_is_found_where_the_hub_finds_it(labpool: Labpool, folder: Path):
    assert f"{DEMO} is valid." in labpool("check").stdout
    assert f"{folder}/pool.yaml is valid." in labpool("check", LABPOOL_CONFIG=str(folder)).stdout
    assert f"{folder}/pool.yaml is valid." in labpool("check", folder / "pool.yaml").stdout


def test_missing_folder_is_told_in_one_line(labpool: Labpool, tmp_path: Path):
    done = labpool("check", LABPOOL_CONFIG=str(tmp_path / "no"))
    assert done.returncode == 1
    assert done.stderr.startswith("LABPOOL_CONFIG is ")
    assert labpool("check", tmp_path / "no").returncode == 1


def test_wrong_command_line_is_exit_code_two(labpool: Labpool):
    assert labpool("check", "--no-such-option").returncode == 2


def test_schema_and_reference_are_written(labpool: Labpool, tmp_path: Path):
    assert json.loads(labpool("schema").stdout)["title"] == "pool.yaml"
    done = labpool("reference", tmp_path / "page.md")
    assert done.returncode == 1
    assert "No such file" in done.stderr


def test_cluster_that_cannot_be_found_is_said_with_what_helps(labpool: Labpool, folder: Path):
    (folder / "pool.yaml").write_text(f"engine: kubernetes\n{SMALL}")
    done = labpool("check", folder, KUBECONFIG=str(folder / "nowhere"))
    assert (done.returncode, done.stdout) == (3, "")
    assert "Nothing says where the cluster is" in done.stderr
    assert "Set KUBECONFIG to a kubeconfig" in done.stderr
