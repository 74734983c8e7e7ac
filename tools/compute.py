"""Which TensorFlow build fits this machine: the one for CUDA where NVML finds a card, else the one for CPUs.

NVML is asked through its C library, since this runs before any package is installed.
"""

from __future__ import annotations

import ctypes

NVML_SUCCESS = 0


def count_nvidia_devices(library: str = "libnvidia-ml.so.1") -> int:
    """Count the cards that NVML lists.

    Args:
        library: name or path of the NVML library, as the dynamic linker knows it.

    Returns:
        The number of cards; 0 where the driver is missing or doesn't answer.
    """
    try:
        nvml = ctypes.CDLL(library)
        if nvml.nvmlInit_v2() != NVML_SUCCESS:
            return 0
    except (OSError, AttributeError):
        return 0
    count = ctypes.c_uint(0)
    answer = nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    nvml.nvmlShutdown()
    return count.value if answer == NVML_SUCCESS else 0


def build_for_this_machine() -> str:
    """Name the lock in requirements/ that fits: `cuda` or `cpu`."""
    return "cuda" if count_nvidia_devices() else "cpu"
