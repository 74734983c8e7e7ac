"""The CUDA build is chosen where NVML finds a card. The library is a double: there is no card on most machines."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import compute
import pytest

SOURCE = """
int nvmlInit_v2(void) { return INIT; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = DEVICES; return 0; }
"""
DRIVER_NOT_LOADED = 9


@pytest.fixture
def nvml(tmp_path: Path) -> Callable[[int, int], str]:
    def build(devices: int, init: int = 0) -> str:
        source, library = tmp_path / "nvml.c", tmp_path / "libnvidia-ml.so.1"
        source.write_text(SOURCE)
        numbers = [f"-DINIT={init}", f"-DDEVICES={devices}"]
        subprocess.run(["cc", "-shared", "-fPIC", *numbers, "-o", library, source], check=True)
        return str(library)

    return build


@pytest.mark.compiler
@pytest.mark.parametrize("devices", [0, 1, 8])
def test_cards_are_counted(nvml: Callable[[int, int], str], devices: int):
    assert compute.count_nvidia_devices(nvml(devices, 0)) == devices


@pytest.mark.compiler
def test_library_without_a_running_driver_counts_as_no_card(nvml: Callable[[int, int], str]):
    assert compute.count_nvidia_devices(nvml(2, DRIVER_NOT_LOADED)) == 0


def test_machine_without_the_driver_has_no_card():
    assert compute.count_nvidia_devices("libnvidia-ml-that-is-not-here.so.1") == 0
