"""Where the pool keeps its store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labpool.settings.place import Place

POOL_DATABASE = "LABPOOL_DATABASE"


def pool_database(environ: Mapping[str, str], place: Place) -> str:
    """URL of the pool's database: `LABPOOL_DATABASE`, else the SQLite file of the data folder.

    Whether it can be used, the store says when it opens it.
    """
    return environ.get(POOL_DATABASE) or sqlite_url(place.pool_db)


def sqlite_url(path: Path) -> str:
    """URL of a SQLite file."""
    return f"sqlite:///{path}"
