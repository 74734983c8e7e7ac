"""Reads a run's event files back, as TensorBoard does."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))  # TensorBoard then reads without TensorFlow

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402
from tensorboard.util import tensor_util  # noqa: E402


def read_scalars(folder: Path) -> dict[str, dict[int, float]]:
    """The scalars of one folder of event files: tag to step to value."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return {
        tag: {event.step: float(tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)}
        for tag in events.Tags()["tensors"]
    }
