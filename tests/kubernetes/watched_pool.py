"""A pool over a cluster as its store shows it, and the desk that writes it."""

from __future__ import annotations

from labpool.domain.plans import Plan
from labpool.domain.world import World
from labpool.service.desk import Desk
from labpool.store import Transaction

from tests.domain import kept_rules, rules
from tests.domain.rules import must
from tests.service.stored_pool import StoredPool


class PoolOfKueue(StoredPool):
    """Who is next is Kueue's to say; at each grant the pool's own rules hold."""

    def check(self, before: World, decided: Plan) -> None:
        """Hold a decision against the rules that are the pool's own."""
        rules.check_grants(self, before, decided)
        rules.check_in_service(self, decided)
        kept_rules.check_budgets(self, before, decided)
        must(not decided.slots and not decided.promises, "6: something is promised that only Kueue could keep")

    def check_settled(self) -> None:
        """Nothing of a planner's is to be said."""


class WatchedDesk(Desk):
    """A desk that tells whether its last transaction decided something."""

    decided = False

    def decide(self, change: Transaction, first: str = "") -> None:
        """As ever."""
        super().decide(change, first)
        self.decided = True
