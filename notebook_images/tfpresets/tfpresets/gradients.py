"""An optimizer that also knows how large the last step's gradient was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

Gradient: TypeAlias = tf.Tensor | tf.IndexedSlices


def watch_gradients(optimizer: keras.optimizers.Optimizer) -> GradientWatch:
    """Wrap `optimizer` so that each step leaves the norm of its gradient in `gradient_norm`; RunLogger logs it.

    The training itself is the wrapped optimizer's own. Under a MirroredStrategy with more than one replica, the norm
    costs one more all-reduce of the gradients a step.

    Raises:
        TypeError: `optimizer` is no Keras 3 optimizer.
    """
    return GradientWatch(optimizer)


@keras.saving.register_keras_serializable(package="tfpresets")
class GradientWatch(keras.optimizers.Optimizer):
    """A Keras optimizer around another one, made by `watch_gradients`.

    `gradient_norm` is the L2 norm over all trainable variables together (as `tf.linalg.global_norm`) of the gradient
    of the step's loss: summed over the replicas, which for Keras's losses is the gradient of the mean over the global
    batch; free of any loss scale; before clipping and weight decay. With gradient accumulation it is the norm of the
    last small batch.
    """

    def __init__(self, inner_optimizer: keras.optimizers.Optimizer, name: str | None = None) -> None:
        if not isinstance(inner_optimizer, keras.optimizers.Optimizer):
            raise TypeError(
                f"watch_gradients got a {type(inner_optimizer).__name__}; expected a Keras 3 optimizer. "
                "Pass an object such as tf.keras.optimizers.Adam(1e-3)."
            )
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.gradient_norm = self.add_variable(
            (), dtype="float32", aggregation="only_first_replica", name="gradient_norm"
        )

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make the variables of both optimizers."""
        if not self.inner_optimizer.built:
            self.inner_optimizer.build(variables)
        super().build(variables)

    def apply(
        self, grads: Sequence[Gradient | None], trainable_variables: Iterable[keras.Variable] | None = None
    ) -> None:
        """Note the norm of `grads` and let the wrapped optimizer take its step."""
        variables = None if trainable_variables is None else list(trainable_variables)
        if not self.built and variables is not None:
            self.build(variables)
        norm = _norm([gradient for gradient in grads if gradient is not None])
        self.gradient_norm.assign(norm / (self.inner_optimizer.loss_scale_factor or 1.0))
        self.inner_optimizer.apply(grads, variables)

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """Scale the loss as the wrapped optimizer does."""
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """Finish training as the wrapped optimizer does."""
        self.inner_optimizer.finalize_variable_values(var_list)

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of both optimizers."""
        return [*self._variables, *self.inner_optimizer.variables]

    @property
    def iterations(self) -> keras.Variable:
        """Steps taken, counted by the wrapped optimizer."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> keras.Variable:
        """The wrapped optimizer's learning rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    def get_config(self) -> dict[str, str | dict[str, object]]:
        """Return what `from_config` needs."""
        return {"name": self.name, "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer)}

    @classmethod
    def from_config(
        cls, config: Mapping[str, str | dict[str, object]], custom_objects: Mapping[str, type] | None = None
    ) -> GradientWatch:
        """Make the wrapper and the wrapped optimizer from `get_config`."""
        inner = keras.saving.deserialize_keras_object(config["inner_optimizer"], custom_objects=custom_objects)
        return cls(inner, name=str(config["name"]))


def _norm(gradients: Sequence[Gradient]) -> tf.Tensor:
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        gradients = replica.all_reduce(tf.distribute.ReduceOp.SUM, list(gradients))
    return tf.linalg.global_norm([tf.cast(_rows_once(gradient), tf.float32) for gradient in gradients])


def _rows_once(gradient: Gradient) -> tf.Tensor:
    """Add up the rows that an embedding's sparse gradient has more than once, which a norm may not see as separate."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, position = tf.unique(gradient.indices)
    return tf.math.unsorted_segment_sum(gradient.values, position, tf.size(rows))
