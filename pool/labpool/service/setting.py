"""What the pool works with at one moment."""

from __future__ import annotations

from typing import NamedTuple

from labpool.domain.catalogue import Catalogue
from labpool.domain.inventory import Inventory


class Setting(NamedTuple):
    """The devices there are, the rules for just these, and the SHA-256 of the pool.yaml that says so."""

    inventory: Inventory
    catalogue: Catalogue
    sha256: str = ""
