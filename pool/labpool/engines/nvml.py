"""The machine's NVIDIA cards, by the driver's own library NVML (through nvidia-ml-py).

It blocks, so call it in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pynvml

_T = TypeVar("_T")
_GIB = 2**30


class NvmlUnavailable(Exception):
    """NVML gives no answer; the message says why."""


class NoDriver(NvmlUnavailable):
    """There is no NVIDIA driver on this machine, or it is not loaded."""


@dataclass(frozen=True, slots=True)
class Card:
    """One card as NVML sees it. `pids` are the processes that compute on it; graphics alone don't count.

    `sliced` is True where the card is split into MIG slices. `unlisted` says why its processes can't be told.
    """

    uuid: str
    index: int
    product: str
    memory_gib: float
    pids: tuple[int, ...] = ()
    sliced: bool = False
    unlisted: str | None = None


class Nvml:
    """Reads all cards. The library stays loaded between readings; after an error it is loaded anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready = False

    def read(self) -> tuple[Card, ...]:
        """All cards that answer, by index.

        Raises:
            NoDriver: no library, or no driver loaded.
            NvmlUnavailable: any other failure of the whole library.
        """
        with self._lock:
            try:
                self._initialise()
                cards = [_card(index) for index in range(int(pynvml.nvmlDeviceGetCount()))]
            except pynvml.NVMLError as error:
                self._forget()
                raise _explained(error) from error
            return tuple(card for card in cards if card)

    def _initialise(self) -> None:
        if not self._ready:
            pynvml.nvmlInit()
            self._ready = True

    def _forget(self) -> None:
        if self._ready:
            self._ready = False
            _or_none(pynvml.nvmlShutdown)


def _card(index: int) -> Card | None:
    """One card, or None where the driver lost it."""
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        uuid, product = str(pynvml.nvmlDeviceGetUUID(handle)), str(pynvml.nvmlDeviceGetName(handle))
    except (pynvml.NVMLError_Uninitialized, pynvml.NVMLError_DriverNotLoaded):
        raise
    except pynvml.NVMLError:
        return None
    memory = _or_none(lambda: int(pynvml.nvmlDeviceGetMemoryInfo(handle).total))
    mode = _or_none(lambda: int(pynvml.nvmlDeviceGetMigMode(handle)[0]))
    pids, unlisted = _processes(handle)
    return Card(uuid, index, product, round((memory or 0) / _GIB, 1), pids, bool(mode), unlisted)


def _processes(handle: object) -> tuple[tuple[int, ...], str | None]:
    try:
        found = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError_NotSupported:
        return (), None
    except pynvml.NVMLError as error:
        return (), str(error)
    return tuple(sorted({int(process.pid) for process in found})), None


def _or_none(ask: Callable[[], _T]) -> _T | None:
    """The answer to a question that not every card or driver knows."""
    try:
        return ask()
    except pynvml.NVMLError:
        return None


def _explained(error: Exception) -> NvmlUnavailable:
    if isinstance(error, pynvml.NVMLError_LibraryNotFound | pynvml.NVMLError_DriverNotLoaded):
        return NoDriver(f"none is loaded ({error})")
    return NvmlUnavailable(str(error))
