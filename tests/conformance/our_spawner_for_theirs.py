"""pytest plugin: JupyterHub's own tests take our spawner where they would take the hub's.

It starts the default CPU profile, as for everybody who chooses nothing, and shows no form, as the hub's own doesn't.
The hub's tests send options of their own invention (energy=abc), which we refuse: here they are taken and mean nothing,
as with the hub's own spawner. What we do with options is tested in tests/gpuspawner.
"""

import os
from pathlib import Path

import jupyterhub.spawner
import pytest
from gpuspawner.asking import Asking
from gpuspawner.local import SimpleLocalGPUSpawner
from gpuspawner.options import ServerOptions
from traitlets import default


class AskingForTheDefault(Asking):
    """Asks for what everybody gets who chooses nothing, whatever was sent."""

    def parse(self, raw: object) -> ServerOptions:
        return super().parse(None)


class SpawnerUnderTest(SimpleLocalGPUSpawner):
    """Configured by defaults, because the tests bring a configuration of their own."""

    @default("options_form")
    def _no_form(self) -> str:
        return ""

    @default("options_from_form")
    def _take_any_form(self) -> object:
        return self._passthrough_options_from_form

    def options_from_query(self, query: dict[str, list[str]]) -> dict[str, object]:
        taken: dict[str, object] = self.options_from_form(query)
        return taken

    @property
    def asking(self) -> Asking:
        return AskingForTheDefault(self)

    @default("pool_file")
    def _pool_of_the_tests(self) -> str:
        return str(Path(__file__).with_name("pool.yaml"))

    @default("data_folder")
    def _folder_of_the_run(self) -> str:
        return os.environ["CONFORMANCE_DATA"]


jupyterhub.spawner.SimpleLocalProcessSpawner = SpawnerUnderTest


def pytest_collection_finish() -> None:
    """Refuse to go on where the hub's tests would not use our spawner after all."""
    from jupyterhub.tests.mocking import MockSpawner  # noqa: PLC0415 (not before its base is ours)

    if not issubclass(MockSpawner, SpawnerUnderTest):
        raise pytest.UsageError(f"the hub's tests use {MockSpawner.__mro__}, not {SpawnerUnderTest.__name__}")
