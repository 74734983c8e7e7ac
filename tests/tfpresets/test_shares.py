import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfpresets.shares import BatchSizeError, batch_bounds, check_batch_size


@given(st.integers(1, 500), st.integers(1, 8), st.integers(1, 8))
def test_every_sample_is_in_one_batch_and_every_replica_gets_some(samples: int, share: int, replicas: int):
    try:
        bounds = batch_bounds(samples, share * replicas, replicas)
    except BatchSizeError:
        assert samples < replicas * (replicas + 1)
        return
    assert [index for start, stop in bounds for index in range(start, stop)] == list(range(samples))
    first = bounds[0][1] - bounds[0][0]
    assert first % replicas == 0
    for start, stop in bounds:
        largest_share = -(-(stop - start) // replicas)
        assert largest_share * (replicas - 1) < stop - start


def test_one_replica_gets_full_batches_and_the_rest():
    assert batch_bounds(150, 64, replicas=1) == [(0, 64), (64, 128), (128, 150)]


def test_too_few_samples_for_the_replicas_are_refused():
    with pytest.raises(BatchSizeError, match="3 samples are too few for 2 replicas"):
        batch_bounds(3, 2, replicas=2)


def test_a_batch_size_that_cannot_be_shared_names_the_nearest_that_can():
    with pytest.raises(BatchSizeError, match=r"batch_size is 63.*multiple of 4.*Choose 64"):
        check_batch_size(63, replicas=4)
