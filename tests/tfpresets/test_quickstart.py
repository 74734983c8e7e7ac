"""Runs the quickstart notebook as it is, with the variables that a leased server has, and reads back what it logged."""

import math
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.tfpresets.environments import leased_environment, plain_environment
from tests.tfpresets.scalars import read_scalars

pytestmark = [pytest.mark.long, pytest.mark.once]

NOTEBOOK = Path(__file__).parents[2] / "notebook_images" / "welcome" / "quickstart.ipynb"


def run_notebook(environment: dict[str, str], folder: Path, *, times: int = 1) -> list[str]:
    """Run all cells `times` times in one kernel and return what each pass showed."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    shown = []
    with client.setup_kernel(env=environment):
        for _ in range(times):
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
            shown.append(text_of(notebook))
    return shown


def text_of(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(str(output.get("text") or output.get("data", {}).get("text/markdown", "")) for output in outputs)


def accuracy(shown: str) -> float:
    found = re.search(r"Test accuracy: ([\d.]+)%", shown)
    assert found, shown
    return float(found[1]) / 100


def runs_in(project: Path) -> list[Path]:
    return sorted(project.iterdir())


@pytest.mark.tensorflow
@pytest.mark.parametrize("gpus", [0, 1])
def test_quickstart_learns_the_digits_and_logs_one_run(gpus: int, tmp_path: Path):
    (shown,) = run_notebook(leased_environment(gpus, tmp_path / "logs"), tmp_path)
    assert accuracy(shown) > 0.95
    assert ("logical CPU device" in shown) is bool(gpus)
    assert "[open TensorBoard](/logs/ada/vision/)" in shown
    (run,) = runs_in(tmp_path / "logs" / "vision")
    assert_curves(run)


@pytest.mark.once
@pytest.mark.tensorflow
def test_quickstart_on_two_simulated_gpus_runs_twice_in_a_row(tmp_path: Path):
    passes = run_notebook(leased_environment(2, tmp_path / "logs"), tmp_path, times=2)
    assert all("MirroredStrategy over 2 logical CPU devices" in shown for shown in passes)
    assert min(accuracy(shown) for shown in passes) > 0.95
    runs = runs_in(tmp_path / "logs" / "vision")
    assert len(runs) == 2
    for run in runs:
        assert_curves(run)


def assert_curves(run: Path) -> None:
    train, validation = read_scalars(run / "train"), read_scalars(run / "validation")
    assert set(train) == {"loss", "accuracy", "learning_rate", "gradient_norm"}
    assert set(validation) == {"loss", "accuracy"}
    assert all(math.isfinite(value) for values in (*train.values(), *validation.values()) for value in values.values())
    assert min(train["gradient_norm"].values()) > 0
    assert list(train["learning_rate"].values()) == pytest.approx([3e-3] * len(train["loss"]))
    losses = list(train["loss"].values())
    assert losses[-1] < losses[0] / 4
    assert list(validation["accuracy"].values())[-1] > 0.9


@pytest.mark.tensorflow
def test_quickstart_outside_labpool_says_so_and_where_its_curves_are(tmp_path: Path):
    (shown,) = run_notebook(plain_environment(), tmp_path)
    assert accuracy(shown) > 0.95
    assert shown.count("not on a labpool server") == 1
    assert "tensorboard --logdir logs" in shown
    (run,) = runs_in(tmp_path / "logs")
    assert_curves(run)


def test_quickstart_is_stored_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.outputs] == []
    assert {cell.execution_count for cell in notebook.cells if cell.cell_type == "code"} == {None}
