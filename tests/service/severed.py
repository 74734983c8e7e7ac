"""A PostgreSQL behind two network links, of which one can be made to lose every packet without a word."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.postgres import RunningPostgres, running_postgres

_NOBODY = "02:00:00:00:00:fe"


@dataclass(frozen=True)
class Link:
    """One link into the server's network namespace; addresses of both its ends."""

    namespace: str
    name: str
    number: int

    @property
    def here(self) -> str:
        return f"10.231.{self.number}.1"

    @property
    def there(self) -> str:
        return f"10.231.{self.number}.2"

    def make(self) -> None:
        _ip("link", "add", self.name, "type", "veth", "peer", "name", self.name, "netns", self.namespace)
        for where, address in (((), self.here), (("-n", self.namespace), self.there)):
            _ip(*where, "address", "add", f"{address}/24", "dev", self.name)
            _ip(*where, "link", "set", self.name, "up")

    def lose_everything(self) -> None:
        """From now on each end sends to a card that nobody has."""
        self._neighbours("replace", "lladdr", _NOBODY, "nud", "permanent")

    def mend(self) -> None:
        """Let both ends find each other again."""
        self._neighbours("delete")

    def _neighbours(self, step: str, *rest: str) -> None:
        for where, other in (((), self.there), (("-n", self.namespace), self.here)):
            _ip(*where, "neighbour", step, other, *rest, "dev", self.name)


@contextlib.contextmanager
def severable_postgres() -> Iterator[tuple[RunningPostgres, Link, Link]]:
    """A server in a network namespace of its own, and the two links to it; the test's own way is the second."""
    namespace = f"labpool-{os.getpid()}"
    first, second = (Link(namespace, f"lp{os.getpid() % 100_000}-{n}", n + os.getpid() % 100 * 2) for n in (1, 2))
    try:
        _ip("netns", "add", namespace)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace to be had here: {error.stderr}")
    try:
        for link in (first, second):
            link.make()
        with running_postgres(second.there, ("ip", "netns", "exec", namespace)) as server:
            yield server, first, second
    finally:
        _ip("netns", "delete", namespace)  # and the links with it


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
