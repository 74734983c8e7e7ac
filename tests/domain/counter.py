"""The pool's desk over a real store, asked without a hub."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from labpool.api_models import SpawnAsked
from labpool.domain.catalogue import Catalogue, Project
from labpool.domain.reasons import Refusal
from labpool.service.asking import Holds, Waits
from labpool.service.changes import Changes
from labpool.service.desk import Desk
from labpool.service.setting import Setting
from labpool.store import Store, connect, migrate

from tests.domain.lab import at, catalogue, inventory

NOW = at(0.5)
Answer = Holds | Waits | Refusal


class Counter:
    """The pool's desk as the spawner asks it; ada asks for her default server unless something else is said."""

    def __init__(self, folder: Path) -> None:
        database = connect(f"sqlite:///{folder / 'pool.sqlite'}")
        migrate(database)
        self.desk = Desk(Store(database), Setting(inventory({"n1": 2, "n2": 2}), catalogue()), lambda: NOW, Changes())

    def ask(self, **asked: object) -> Answer:
        values = {"user": "ada", "project": "vision", "profile": "gpu-1", "hours": 1} | asked
        return asyncio.run(self.desk.ask(SpawnAsked.model_validate(values)))

    def rule(self, **changes: Any) -> Counter:
        """Change the lab's rules."""
        known = self.desk.setting
        self.desk.found = Setting(known.inventory, replace(known.catalogue, **changes))
        return self

    def given(self, rules: Catalogue | None = None, **nodes: int) -> Counter:
        """Other rules, or other machines with so many GPUs each."""
        known = self.desk.setting
        self.desk.found = Setting(inventory(nodes) if nodes else known.inventory, rules or known.catalogue)
        return self

    def projects(self, **projects: Project) -> Counter:
        """More projects."""
        return self.rule(projects=dict(self.desk.catalogue.projects) | projects)
