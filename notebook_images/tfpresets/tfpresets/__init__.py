"""One line each for what a TensorFlow notebook sets up before it trains.

`strategy`, `precision`, `xla` and `pipeline` follow the labpool profile; `run_dir`, `RunLogger` and `watch_gradients`
write a log that TensorBoard reads; `notice` and `tensorboard_path` ask what the server was told. TensorFlow is
imported at the first use of a function that needs it, not by `import tfpresets`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tfpresets.choices import GPUsNotFound
from tfpresets.environment import SettingError
from tfpresets.notices import Notice, NoticeError, notice
from tfpresets.runs import run_dir, tensorboard_path
from tfpresets.shares import BatchSizeError

if TYPE_CHECKING:
    from tfpresets.batches import pipeline
    from tfpresets.gradients import GradientWatch, watch_gradients
    from tfpresets.run_logger import RunLogger
    from tfpresets.strategies import DevicesAlreadyStarted, precision, strategy, xla

__all__ = [
    "BatchSizeError",
    "DevicesAlreadyStarted",
    "GPUsNotFound",
    "GradientWatch",
    "Notice",
    "NoticeError",
    "RunLogger",
    "SettingError",
    "notice",
    "pipeline",
    "precision",
    "run_dir",
    "strategy",
    "tensorboard_path",
    "watch_gradients",
    "xla",
]

_NEED_TENSORFLOW = {
    "DevicesAlreadyStarted": "strategies",
    "GradientWatch": "gradients",
    "RunLogger": "run_logger",
    "pipeline": "batches",
    "precision": "strategies",
    "strategy": "strategies",
    "watch_gradients": "gradients",
    "xla": "strategies",
}


def __getattr__(name: str) -> object:
    """Import what needs TensorFlow at its first use.

    Raises:
        ImportError: TensorFlow isn't installed in this environment.
    """
    module = _NEED_TENSORFLOW.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        if error.name not in {"tensorflow", "keras"}:
            raise
        raise ImportError(
            f"tfpresets.{name} needs TensorFlow 2.16 or newer, which this environment lacks. Use the image's own "
            "kernel, or install tensorflow[and-cuda] for GPUs or tensorflow-cpu."
        ) from error


def __dir__() -> list[str]:
    return sorted(__all__)
