"""Usage that was asked for before: what came since is in it, and what anybody may see of it stays the same."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from labpool.domain.calendar import Window
from labpool.domain.leases import Lease
from labpool.domain.ledger import UNITS
from labpool.domain.tickets import Ticket
from labpool.store import Store
from labpool.store.usage import By, Seen, UsageSum
from sqlalchemy import Engine

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
MARCH = Window(datetime(2026, 3, 1, tzinfo=timezone.utc), datetime(2026, 4, 1, tzinfo=timezone.utc))
CUT = Window(NOW - 10 * HOUR, NOW + 0.5 * HOUR)


def run(store: Store, ticket: str, user: str, project: str, used: timedelta) -> None:
    with store.transaction() as change:
        change.save_ticket(Ticket(ticket, user, frozenset(), ticket, project, "one", "gpu", 1, 2 * HOUR, NOW))
        change.save_lease(Lease(ticket, user, ticket, project, "gpu", (f"device-{ticket}",), NOW, NOW + 2 * HOUR))
        change.end_lease(ticket, NOW + used)


def asked(store: Store) -> list[dict[str, UsageSum]]:
    with store.view() as view:
        owner = Seen(view.known_pseudonym("ada"), frozenset({"vision"}))
        seen = (Seen(all=True), owner, Seen(view.known_pseudonym("bert")))
        return [view.usage(window, by, who) for window in (MARCH, CUT) for by in (By.PROJECT, By.USER) for who in seen]


def test_what_came_since_is_counted_as_by_who_never_asked(engine: Engine):
    store = Store(engine)
    assert asked(store) == [{}] * 12
    for ticket, user, project, used in (("t1", "ada", "vision", HOUR), ("t2", "bert", "speech", 3 * HOUR)):
        run(store, ticket, user, project, used)
        assert asked(store) == asked(store) == asked(Store(engine))
    everybody, owner, bert = asked(store)[:3]
    assert everybody == {"vision": UsageSum(UNITS, runs=1), "speech": UsageSum(2 * UNITS, 0, UNITS, 1)}
    assert owner == {"vision": everybody["vision"]}
    assert bert == {"speech": everybody["speech"]}
    assert asked(store)[6]["vision"] == UsageSum(UNITS // 2, runs=1)


def test_what_an_undone_transaction_was_asked_for_is_forgotten(engine: Engine):
    store = Store(engine)

    def undone() -> None:
        with store.transaction() as change:
            change.save_ticket(Ticket("t1", "ada", frozenset(), "", "vision", "one", "gpu", 1, HOUR, NOW))
            change.save_lease(Lease("t1", "ada", "", "vision", "gpu", ("device",), NOW, NOW + HOUR))
            change.end_lease("t1", NOW + HOUR)
            assert change.usage(MARCH, By.PROJECT, Seen(all=True))["vision"].runs == 1
            raise LookupError

    with pytest.raises(LookupError):
        undone()
    assert asked(store)[0] == {}
