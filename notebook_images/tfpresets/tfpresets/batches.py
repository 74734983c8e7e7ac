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

from tfpresets.strategies import current_choice


class BatchSizeError(ValueError):
    """The samples can't be cut into batches of this size."""


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
        BatchSizeError: `x` and `y` differ in length, `batch_size` can't be shared equally by the replicas, or there
        are too
            few samples.
    """
    arrays = (np.asarray(x),) if y is None else (np.asarray(x), np.asarray(y))
    samples = _same_length(arrays)
    replicas = current_choice().replicas
    _check_batch_size(batch_size, replicas)
    dataset = _training(arrays, samples, batch_size) if training else _evaluation(arrays, samples, batch_size, replicas)
    if y is None:
        dataset = dataset.map(lambda features: features)
    return dataset.prefetch(tf.data.AUTOTUNE)


def batch_bounds(samples: int, batch_size: int, replicas: int) -> list[tuple[int, int]]:
    """Cut `samples` into batches, as (start, stop), such that every replica gets a sample of each.

    TensorFlow shares a batch of t samples as ceil(t / replicas) each, the last replicas getting fewer. With
    t = q * replicas + k and 0 < k < replicas, none gets nothing if and only if q >= replicas - k. So all batches are
    multiples of `replicas`, the first among them, but the last, which is the smallest such t.

    Raises:
        BatchSizeError: there are too few samples for that.
    """
    odd = samples % replicas
    tail = odd + (replicas - odd) * replicas if odd else 0
    body = samples - tail
    if body < replicas:
        raise BatchSizeError(
            f"{samples} samples are too few for {replicas} replicas; use a multiple of {replicas}, or more."
        )
    bounds = [(start, min(start + batch_size, body)) for start in range(0, body, batch_size)]
    return [*bounds, (body, samples)] if tail else bounds


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


def _check_batch_size(batch_size: int, replicas: int) -> None:
    if batch_size < 1 or batch_size % replicas:
        raise BatchSizeError(
            f"batch_size is {batch_size}; expected a positive multiple of {replicas}, so that each replica gets the "
            f"same share. Choose {max(1, round(batch_size / replicas)) * replicas}."
        )
