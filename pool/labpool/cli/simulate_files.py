"""The files that `labpool simulate` reads and writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labpool.cli.devices import devices_of
from labpool.domain.catalogue import Catalogue
from labpool.domain.inventory import Inventory
from labpool.domain.simulation.outcome import Outcome
from labpool.domain.simulation.trace import Arrival, InvalidTrace, parse
from labpool.settings import InvalidPoolFile, complete_catalogue, load_pool_file


class UnusableFile(Exception):
    """A file can't be read, written or played; the message says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class PoolOnPaper:
    """What a pool.yaml comes to: rules and devices, of which nothing is started."""

    path: Path
    inventory: Inventory
    catalogue: Catalogue

    @property
    def devices(self) -> Mapping[str, int]:
        """Number of devices of each flavour that has any."""
        return dict(Counter(device.flavour for device in self.inventory.devices))

    @property
    def commonest_flavour(self) -> str:
        """The flavour with the most devices."""
        return max(self.devices, key=lambda flavour: self.devices[flavour])

    def most(self, project: str, flavour: str) -> int:
        """Most devices that one request in `project` may ask for."""
        share = self.catalogue.projects[project].most_at_once(flavour)
        return min(share, self.catalogue.limits.everybody.gpus, self.inventory.most_on_one_node(flavour))


def pool_on_paper(path: Path) -> PoolOnPaper:
    """Read a pool.yaml, with the devices under `simulated:` where it has any, else with those of this machine.

    Raises:
        UnusableFile: the file is invalid, or there are no devices either way.
    """
    try:
        pool_file = load_pool_file(path)
    except InvalidPoolFile as error:
        raise UnusableFile(str(error)) from error
    inventory = Inventory(pool_file.simulated_nodes, pool_file.simulated_devices)
    if not inventory.devices:
        inventory = devices_of(pool_file)
    if not inventory.devices:
        raise UnusableFile(
            f"{path}: names no device under simulated:, and there is none. "
            "Add the nodes to play with, such as simulated: {nodes: [{name: a, cpu: 64, memory_gib: 512, "
            "devices: {FLAVOUR: 8}}]}"
        )
    return PoolOnPaper(path, inventory, complete_catalogue(pool_file.catalogue, inventory))


def read_trace(path: Path) -> tuple[Arrival, ...]:
    """Read a trace.

    Raises:
        UnusableFile: it can't be read, or rows of it are wrong.
    """
    try:
        return parse(path.read_text(encoding="utf-8-sig").splitlines(keepends=True), path.name)
    except OSError as error:
        raise UnusableFile(f"{path}: {error.strerror}. Name a CSV file that you may read.") from error
    except UnicodeDecodeError as error:
        raise UnusableFile(f"{path}: is no text in UTF-8 (byte {error.start}). Save it as CSV in UTF-8.") from error
    except InvalidTrace as error:
        raise UnusableFile(str(error)) from error


def write_text(path: Path, content: str) -> None:
    """Write a file.

    Raises:
        UnusableFile: it can't be written.
    """
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise UnusableFile(f"{path}: {error.strerror}. Name a file in a folder that you may write to.") from error


def nobody_let_in(trace: Path, outcome: Outcome, paper: PoolOnPaper) -> str:
    """Say why a trace has nothing to do with a pool."""
    reasons = Counter(refused.reason.value for refused in outcome.refused)
    counts = ", ".join(f"{reason} {count} times" for reason, count in reasons.most_common())
    projects, flavours = ", ".join(paper.catalogue.projects), ", ".join(paper.devices)
    return (
        f"{trace}: every request is refused by {paper.path}: {counts}. Expected projects among {projects}, flavours "
        f"among {flavours}, and requests that fit them. Write the trace's names as the pool has them."
    )
