"""Real event files, written by TensorBoard's own writer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))  # no TensorFlow in the tests

from tensorboard.compat.proto.event_pb2 import Event  # noqa: E402
from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: E402
from tensorboard.summary.writer.event_file_writer import EventFileWriter  # noqa: E402


def log_scalars(run: Path, tag: str, values: Sequence[float], wall_time: float = 1_700_000_000.0) -> None:
    """Log one value a step into a run's folder."""
    writer = EventFileWriter(str(run))
    for step, value in enumerate(values):
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.add_event(Event(wall_time=wall_time + step, step=step, summary=summary))
    writer.close()
