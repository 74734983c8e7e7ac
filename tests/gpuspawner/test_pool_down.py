"""What still works while the pool gives no answer."""

import signal
from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup

from tests.gpuspawner.test_starts import CPU, GPU_1, fill_form, reason
from tests.ports import free_ports
from tests.running_lab import RunningLab, running_lab

pytestmark = pytest.mark.hub


NOBODY_LISTENS = """
from gpuspawner.pages import template_vars
c.SimpleLocalGPUSpawner.pool_url = "http://127.0.0.1:{port}/services/pool"
c.JupyterHub.template_vars = template_vars(c.SimpleLocalGPUSpawner.pool_url, "token")
"""
HANGS = "c.SimpleLocalGPUSpawner.pool_timeout = 0.5"


@pytest.fixture(scope="module", params=["nobody listens", "it hangs"])
def lab(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[RunningLab]:
    hangs = request.param == "it hangs"
    configuration = HANGS if hangs else NOBODY_LISTENS.format(port=free_ports(1)[0])
    with running_lab(tmp_path_factory.mktemp("lab"), hub_config=configuration) as lab:
        lab.signed_in("ada")
        if hangs:
            lab.signal("pool", signal.SIGSTOP)
        yield lab
        lab.signal("pool", signal.SIGCONT)


def test_cpu_server_starts_and_stops(lab: RunningLab):
    assert lab.start_server("ada", CPU).status_code in {201, 202}
    lab.wait_ready("ada")
    lab.stop_server("ada")


def test_program_that_asks_for_a_gpu_is_told_why_not(lab: RunningLab):
    response = lab.start_server("ada", GPU_1)
    assert (response.status_code, reason(response)) == (503, "pool_unavailable")
    assert "choose a CPU profile" in response.json()["message"]


def test_person_who_asks_for_a_gpu_is_told_on_the_form(lab: RunningLab):
    response = fill_form(lab.signed_in("ada"), "ada", GPU_1)
    assert response.status_code == 503
    assert "the pool service does not answer" in BeautifulSoup(response.text, "html.parser").get_text(" ", strip=True)
    assert not lab.is_active("ada")


def test_form_and_home_page_say_so_and_work(lab: RunningLab):
    browser = lab.signed_in("ada")
    for path in ("/hub/spawn/ada", "/hub/home"):
        page = browser.open(path)
        assert page.status_code == 200
        assert "pool service does not answer" in page.text
