"""Real event files, written with TensorBoard's own record writer and messages."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

_NUMBERS = itertools.count(1)
_FIRST_WALL_TIME = 1_700_000_000.0


def log_scalars(run: Path, tag: str, values: Sequence[float]) -> None:
    """Log one value a step into a run's folder."""
    run.mkdir(parents=True, exist_ok=True)
    name = f"events.out.tfevents.{int(_FIRST_WALL_TIME)}.test.{next(_NUMBERS)}"
    with (run / name).open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=_FIRST_WALL_TIME, file_version="brain.Event:2").SerializeToString())
        for step, value in enumerate(values):
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            event = Event(wall_time=_FIRST_WALL_TIME + step, step=step, summary=summary)
            writer.write(event.SerializeToString())
        writer.flush()
