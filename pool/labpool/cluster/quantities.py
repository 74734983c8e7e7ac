"""Amounts as Kubernetes writes them: "63770m" cores, "512Gi" of memory.

All amounts here are whole thousandths (of a core, a byte, a device), in which nothing that is written is lost.
"""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, Decimal

_SYNTAX = re.compile(r"^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]+)|([num]|[kMGTPE]|[KMGTPE]i))?$")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_STEPS_UP = ("", "k", "M", "G", "T", "P", "E")
_BINARY_STEPS_UP = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def thousandths(written: str) -> int:
    """An amount in thousandths, rounded down.

    Raises:
        ValueError: it isn't written as Kubernetes writes amounts.
    """
    found = _SYNTAX.match(written)
    if found is None:
        raise ValueError(f'"{written}" is no amount; expected something like 4, 500m or 512Gi.')
    number, exponent, suffix = found.groups()
    value = Decimal(number + (exponent or ""))
    if suffix in _DECIMAL:
        value = value.scaleb(_DECIMAL[suffix])
    elif suffix:
        value *= 1024 ** _BINARY_STEPS_UP.index(suffix)
    return int((value * 1000).to_integral_value(ROUND_FLOOR))


def decimal_quantity(amount: int) -> str:
    """Thousandths in the one way in which the API server would write a number: 2000 cores are "2k"."""
    return f"{amount}m" if amount % 1000 else _stepped(amount // 1000, 1000, _STEPS_UP)


def binary_quantity(amount: int) -> str:
    """Thousandths of a byte, in whole bytes, in the one way in which the API server would write them."""
    size = amount // 1000
    return decimal_quantity(size * 1000) if size % 1024 else _stepped(size, 1024, _BINARY_STEPS_UP)


def _stepped(number: int, step: int, suffixes: tuple[str, ...]) -> str:
    level = 0
    while number and number % step == 0 and level < len(suffixes) - 1:
        number, level = number // step, level + 1
    return f"{number}{suffixes[level]}"
