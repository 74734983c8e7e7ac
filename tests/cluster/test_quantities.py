from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labpool.cluster.quantities import binary_quantity, decimal_quantity, thousandths

AMOUNTS = st.integers(0, 10**21)


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("64", 64_000),
        ("63770m", 63_770),
        ("0.5", 500),
        ("2k", 2_000_000),
        ("1e3", 1_000_000),
        ("527988432Ki", 527_988_432 * 1024 * 1000),
        ("1.5Gi", 1536 * 2**20 * 1000),
        ("1880106456513", 1_880_106_456_513_000),
        ("1500u", 1),
        ("100n", 0),
    ],
)
def test_what_nodes_write_is_read(written: str, amount: int):
    assert thousandths(written) == amount


@pytest.mark.parametrize("written", ["", "many", "1 Gi", "1GiB", "1.2.3", "..", "m"])
def test_what_is_no_amount_is_refused(written: str):
    with pytest.raises(ValueError, match="is no amount; expected something like"):
        thousandths(written)


# As the API server wrote them when it was given the same amount in another way.
@pytest.mark.parametrize(
    ("amount", "decimal"), [(0, "0"), (1000, "1"), (2500, "2500m"), (100_500, "100500m"), (2_000_000, "2k")]
)
def test_numbers_are_written_as_the_api_server_writes_them(amount: int, decimal: str):
    assert decimal_quantity(amount) == decimal


@pytest.mark.parametrize(
    ("size", "written"), [(0, "0"), (2**41, "2Ti"), (300 * 2**30, "300Gi"), (1536, "1536"), (5 * 10**9, "5G")]
)
def test_sizes_are_written_as_the_api_server_writes_them(size: int, written: str):
    assert binary_quantity(size * 1000) == written


@given(AMOUNTS)
def test_what_is_written_is_read_again(amount: int):
    assert thousandths(decimal_quantity(amount)) == amount
    assert thousandths(binary_quantity(amount)) == amount // 1000 * 1000
