"""The quickstart in a new home: there once, the researcher's own from then on, and it trains as it is."""

from __future__ import annotations

import re

import nbformat
import pytest

from tests.lab_story.conftest import Researcher
from tests.lab_story.kernel import Kernel
from tests.lab_story.lab_server import LabServer
from tests.real_hub import REPOSITORY, Browser, wait_until

pytestmark = [pytest.mark.hub, pytest.mark.long]

NOTEBOOK = "quickstart.ipynb"
CONTENTS = f"api/contents/{NOTEBOOK}"
AS_SHIPPED = nbformat.read(REPOSITORY / "notebook_images/welcome" / NOTEBOOK, as_version=4)
SCALARS = "/logs/ada/vision/data/plugin/scalars"


def test_new_home_has_the_quickstart_and_later_starts_respect_what_became_of_it(researcher: Researcher):
    server = researcher("olga")
    server.start("vision", "cpu")
    assert sources(notebook_of(server)) == sources(AS_SHIPPED)
    edited = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("My own words")])
    server.ask("PUT", CONTENTS, json={"type": "notebook", "content": edited}).raise_for_status()
    restart(server)
    assert sources(notebook_of(server)) == ["My own words"]
    server.ask("DELETE", CONTENTS).raise_for_status()
    restart(server)
    assert server.ask("GET", CONTENTS).status_code == 404


@pytest.mark.everywhere
@pytest.mark.tensorflow
def test_quickstart_trains_on_two_leased_gpus_and_only_its_owner_reads_the_curves(researcher: Researcher):
    server = researcher("ada")
    server.start("vision", "gpu-2")
    with server.kernel() as kernel:
        shown = run_all_cells(kernel, notebook_of(server))
    assert accuracy(shown) > 0.95
    assert "MirroredStrategy over 2 logical CPU devices" in shown
    assert "[open TensorBoard](/logs/ada/vision/)" in shown

    (run,) = (server.lab.place.logs_of("ada") / "vision").iterdir()
    assert [part.name for part in sorted(run.iterdir()) if list(part.glob("events.out.tfevents.*"))] == [
        "train",
        "validation",
    ]
    owner, other = at_logs(server, "ada"), at_logs(server, "bert")
    wait_until(lambda: "accuracy" in tags(owner, f"{run.name}/train"), "the run's curves in TensorBoard", 60)
    assert other.fetch(f"{SCALARS}/tags").status_code == 403
    assert {"loss", "accuracy", "learning_rate", "gradient_norm"} <= tags(owner, f"{run.name}/train")
    assert scalars(owner, f"{run.name}/validation", "accuracy")[-1] > 0.9


def notebook_of(server: LabServer) -> nbformat.NotebookNode:
    """The notebook as Lab shows it to its user."""
    return nbformat.from_dict(server.get(CONTENTS)["content"])


def sources(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells]


def restart(server: LabServer) -> None:
    server.stop()
    server.start("vision", "cpu")


def run_all_cells(kernel: Kernel, notebook: nbformat.NotebookNode) -> str:
    """Run the notebook's code cell by cell and return what it showed."""
    return "\n".join(kernel.run(cell.source) for cell in notebook.cells if cell.cell_type == "code")


def accuracy(shown: str) -> float:
    found = re.search(r"Test accuracy: ([\d.]+)%", shown)
    assert found, shown
    return float(found[1]) / 100


def at_logs(server: LabServer, user: str) -> Browser:
    """A browser in which `user` has signed in and opened TensorBoard's address."""
    browser = server.lab.signed_in(user)
    browser.open("/logs/")
    return browser


def tags(browser: Browser, run: str) -> set[str]:
    answer = browser.fetch(f"{SCALARS}/tags")
    assert answer.status_code == 200, answer.text
    return set(answer.json().get(run, {}))


def scalars(browser: Browser, run: str, tag: str) -> list[float]:
    """A curve's values in the order of its steps; TensorBoard gives (wall time, step, value)."""
    answer = browser.fetch(f"{SCALARS}/scalars", params={"run": run, "tag": tag})
    assert answer.status_code == 200, answer.text
    return [value for _, _, value in answer.json()]
