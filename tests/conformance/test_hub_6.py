"""JupyterHub 6.1's own tests give the same with our spawner as with the hub's."""

import sys
from pathlib import Path

import pytest

from tests.conformance.hub_tests import outcomes, stock_outcomes

pytestmark = [pytest.mark.hub, pytest.mark.long]


def test_our_spawner_gives_the_outcomes_of_the_hubs_own(tmp_path: Path):
    assert outcomes(sys.executable, tmp_path, ours=True) == stock_outcomes("6.1")


@pytest.mark.soak
def test_committed_outcomes_are_those_of_the_hubs_own_spawner(tmp_path: Path):
    assert outcomes(sys.executable, tmp_path, ours=False) == stock_outcomes("6.1")
