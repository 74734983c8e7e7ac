"""How batches are cut so that every replica gets a share of each."""

from __future__ import annotations


class BatchSizeError(ValueError):
    """The samples can't be cut into batches of this size."""


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


def check_batch_size(batch_size: int, replicas: int) -> None:
    """Check that every replica gets the same share of a full batch.

    Raises:
        BatchSizeError: it doesn't; the message names the nearest size that does.
    """
    if batch_size < 1 or batch_size % replicas:
        raise BatchSizeError(
            f"batch_size is {batch_size}; expected a positive multiple of {replicas}, so that each replica gets the "
            f"same share. Choose {max(1, round(batch_size / replicas)) * replicas}."
        )
