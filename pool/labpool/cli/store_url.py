"""Which database a command reads that looks into a pool's store."""

from __future__ import annotations

import os
from pathlib import Path

from labpool.settings import Place, pool_database, sqlite_url


def store_url(data: Path | None) -> str:
    """URL of the store in the data folder `data`; without one that of the pool of this environment."""
    return sqlite_url(Place(data.absolute()).pool_db) if data else pool_database(os.environ, Place.named(os.environ))
