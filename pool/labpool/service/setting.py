"""What the pool works with at one moment."""

from __future__ import annotations

from typing import NamedTuple

from labpool.domain.catalogue import Catalogue
from labpool.domain.inventory import Inventory


class Setting(NamedTuple):
    """The devices there are, and the rules for just these."""

    inventory: Inventory
    catalogue: Catalogue
