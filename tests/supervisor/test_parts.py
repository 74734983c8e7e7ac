"""What the programs of one machine are started with."""

from __future__ import annotations

from pathlib import Path

import pytest
from labpool.cli.supervisor_parts import all_parts
from labpool.settings import Place, Ports

from tests.real_hub import REPOSITORY

pytestmark = pytest.mark.hub


@pytest.mark.parametrize("variable", ["LABPOOL_SMTP_PASSWORD", "LABPOOL_DATABASE"])
def test_only_the_pool_gets_what_holds_a_password(variable: str, tmp_path: Path):
    environ = {
        "LABPOOL_DATA": str(tmp_path),
        "LABPOOL_CONFIG": str(REPOSITORY / "hub_config"),
        variable: "secret-of-the-pool",
    }
    parts = all_parts(Place.open(environ), Ports(), environ)
    assert [part.name for part in parts if "secret-of-the-pool" in part.environment.values()] == ["pool"]
