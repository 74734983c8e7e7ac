"""Builds the stand-in for the NVIDIA driver's library and writes what it shall answer. No GPU can exist here."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

SOURCE = Path(__file__).with_name("fake_nvml.c")
LIBRARY = "libnvidia-ml.so.1"

DRIVER_NOT_LOADED, NO_PERMISSION, GPU_IS_LOST, UNKNOWN = 9, 4, 15, 999


def build(folder: Path) -> Path:
    """Compile the library into `folder`, under the name and soname of the real one."""
    target = folder / LIBRARY
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", f"-Wl,-soname,{LIBRARY}", "-o", target, SOURCE],
        check=True,
    )
    return target


@dataclass(frozen=True)
class FakeCard:
    uuid: str
    name: str = "NVIDIA A100-SXM4-80GB"
    gib: int = 80
    mig: int = -1
    code: int = 0
    processes_code: int = 0
    pids: tuple[int, ...] = ()


@dataclass
class FakeDriver:
    """What the stand-in answers; each change is written at once."""

    state: Path
    cards: list[FakeCard] = field(default_factory=list)
    init: int = 0
    down: int = 0
    hangs: bool = False

    def write(self) -> None:
        lines = [f"init {self.init}", f"down {self.down}"] + ["hang"] * self.hangs
        for card in self.cards:
            lines.append(f"card {card.uuid} {card.gib << 30} {card.mig} {card.code} {card.processes_code} {card.name}")
        for index, card in enumerate(self.cards):
            lines += [f"process {index} {pid}" for pid in card.pids]
        draft = self.state.with_suffix(".draft")
        draft.write_text("\n".join(lines) + "\n")
        draft.replace(self.state)

    def change(self, index: int, **changes: object) -> None:
        self.cards[index] = replace(self.cards[index], **changes)  # type: ignore[arg-type]
        self.write()

    def fail(self, *, init: int = 0, down: int = 0, hangs: bool = False) -> None:
        self.init, self.down, self.hangs = init, down, hangs
        self.write()

    def work(self) -> None:
        self.fail()
