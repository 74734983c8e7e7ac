"""What random tests of real processes draw from."""

from __future__ import annotations

import os
from random import Random


def seed_of(variable: str) -> str:
    """The seed that an environment variable names, to play a failed test again; else a new one, or CI's own."""
    return os.environ.get(variable) or ("ci" if os.environ.get("CI") == "true" else f"{Random().getrandbits(32):x}")
