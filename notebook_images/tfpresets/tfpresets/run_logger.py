"""A Keras callback that writes a run's curves for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import tensorflow as tf

from tfpresets.gradients import GradientWatch
from tfpresets.notices import Notice, NoticeError, notice
from tfpresets.runs import run_dir
from tfpresets.said import say, say_once


class RunLogger(keras.callbacks.Callback):
    """Log loss, metrics, learning rate and gradient norm, training and validation in one chart.

    The scalars are `loss`, each metric by its name, `learning_rate` (the one that the next step uses) and
    `gradient_norm` (of the step just taken; needs `watch_gradients`). They lie in `<folder>/train` and
    `<folder>/validation`, over the optimizer's step. Training values are Keras's: the mean over the epoch so far.
    When the lab's notice for this server changes, it is printed at the end of the epoch.
    """

    def __init__(self, folder: Path | str | None = None, *, every_steps: int | None = None) -> None:
        """Prepare a log; nothing is written before training begins.

        Args:
            folder: Where to write; None makes a new run's folder (`run_dir`).
            every_steps: Write training values each so many steps and at the end of each epoch; None: only there.

        Raises:
            ValueError: `every_steps` is below 1.
        """
        super().__init__()
        if every_steps is not None and every_steps < 1:
            raise ValueError(f"every_steps is {every_steps}; expected at least 1, or None for once an epoch.")
        self.folder = run_dir() if folder is None else Path(folder)
        self._every_steps = every_steps
        self._written_at = 0
        self._seen: Notice | None = None

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Open the log."""
        del logs
        self._train = tf.summary.create_file_writer(str(self.folder / "train"))
        self._validation = tf.summary.create_file_writer(str(self.folder / "validation"))
        self._written_at = self._step()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write training values if it is their turn."""
        del batch
        if self._every_steps and self._step() >= self._written_at + self._every_steps:
            self._write_training(logs or {})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write training values unless this step's are written, and validation values; pass on a new notice."""
        del epoch
        values = logs or {}
        if self._step() > self._written_at:
            self._write_training({name: value for name, value in values.items() if not name.startswith("val_")})
        validation = {name.removeprefix("val_"): value for name, value in values.items() if name.startswith("val_")}
        self._write(self._validation, validation)
        self._pass_on_notice()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Close the log."""
        del logs
        self._train.close()
        self._validation.close()

    def _write_training(self, metrics: Mapping[str, float]) -> None:
        self._write(self._train, {**metrics, **self._optimizer_values()})
        self._written_at = self._step()

    def _write(self, writer: tf.summary.SummaryWriter, values: Mapping[str, float]) -> None:
        with writer.as_default(step=self._step()):
            for name, value in values.items():
                tf.summary.scalar(name, float(value))
        writer.flush()

    def _optimizer_values(self) -> dict[str, float]:
        optimizer = self.model.optimizer
        values = {"learning_rate": _number(optimizer.learning_rate)}
        watch = _find_watch(optimizer)
        if watch is None:
            say_once("no gradient norm is logged; wrap the optimizer for that: tfpresets.watch_gradients(optimizer).")
            return values
        return {**values, "gradient_norm": _number(watch.gradient_norm)}

    def _step(self) -> int:
        return int(_number(self.model.optimizer.iterations))

    def _pass_on_notice(self) -> None:
        try:
            current = notice()
        except NoticeError as error:
            say_once(str(error))
            return
        # that the GPUs were granted is no news to who trains on them
        if current is not None and current.kind != "granted" and current != self._seen:
            say(current.message)
        self._seen = current


def _number(variable: keras.Variable) -> float:
    return float(keras.ops.convert_to_numpy(variable))


def _find_watch(optimizer: keras.optimizers.Optimizer | None) -> GradientWatch | None:
    """Find the wrapper, also inside the one that Keras adds for mixed_float16."""
    while optimizer is not None and not isinstance(optimizer, GradientWatch):
        optimizer = getattr(optimizer, "inner_optimizer", None)
    return optimizer
