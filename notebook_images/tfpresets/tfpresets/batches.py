"""Input pipelines whose batches every replica can share.

Keras 3 fails under a MirroredStrategy where a batch leaves a replica without a sample, and where the first batch
can't be shared equally. So batches are cut here such that neither happens, and no sample of an evaluation is left out
or counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from tfpresets.shares import BatchSizeError, batch_bounds, check_batch_size
from tfpresets.strategies import current_choice


def pipeline(
    x: ArrayLike, y: ArrayLike | None = None, *, batch_size: int = 64, training: bool = True
) -> tf.data.Dataset:
    """Make a `tf.data` pipeline from arrays in memory.

    For training: cached, shuffled over all samples anew each epoch, in full batches (the samples left over are others
    each epoch), prefetched. Otherwise: in order, every sample exactly once, prefetched.

    Args:
        x: Features of shape (samples, ...).
        y: Labels of shape (samples, ...); without them the batches are features alone.
        batch_size: Samples a step, over all replicas together.
        training: Whether to shuffle and to leave out the incomplete batch.

    Returns:
        A dataset of (features, labels) of shapes (batch_size, ...), or of features alone.

    Raises:
        BatchSizeError: `x` and `y` differ in length, `batch_size` can't be shared equally by the replicas,
            or there are too few samples.
    """
    arrays = (np.asarray(x),) if y is None else (np.asarray(x), np.asarray(y))
    samples = _same_length(arrays)
    replicas = current_choice().replicas
    check_batch_size(batch_size, replicas)
    dataset = _training(arrays, samples, batch_size) if training else _evaluation(arrays, samples, batch_size, replicas)
    if y is None:
        dataset = dataset.map(lambda features: features)
    return dataset.prefetch(tf.data.AUTOTUNE)


def _training(arrays: Sequence[NDArray[np.generic]], samples: int, batch_size: int) -> tf.data.Dataset:
    if samples < batch_size:
        raise BatchSizeError(
            f"{samples} samples don't fill one batch of {batch_size}; choose a batch_size of at most {samples}."
        )
    dataset = tf.data.Dataset.from_tensor_slices(tuple(arrays))
    return dataset.cache().shuffle(samples).batch(batch_size, drop_remainder=True)


def _evaluation(arrays: Sequence[NDArray[np.generic]], samples: int, batch_size: int, replicas: int) -> tf.data.Dataset:
    tensors = [tf.constant(array) for array in arrays]
    bounds = np.asarray(batch_bounds(samples, batch_size, replicas), dtype=np.int64)
    return tf.data.Dataset.from_tensor_slices(bounds).map(
        lambda bound: tuple(tensor[bound[0] : bound[1]] for tensor in tensors), num_parallel_calls=tf.data.AUTOTUNE
    )


def _same_length(arrays: Sequence[NDArray[np.generic]]) -> int:
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise BatchSizeError(f"x has {lengths[0]} samples and y has {lengths[1]}; expected a label for each sample.")
    return lengths[0]
