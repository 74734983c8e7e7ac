"""One's own tickets changing places."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from labpool.client import PoolRefused, SyncPoolClient

from tests.service.lab import Lab
from tests.service.test_api import ACCESS, READ, WRITE

NewUser = Callable[[], str]


def asked(lab: Lab, user: str, name: str = "", hours: float = 1, profile: str = "gpu-4") -> str:
    return str(lab.pool.ask(user, profile, name=name, hours=hours).json()["ticket"])


@pytest.fixture
def mine(lab: Lab, new_user: NewUser) -> tuple[SyncPoolClient, str]:
    user = new_user()
    return SyncPoolClient(lab.pool.url, lab.hub.token_for(user, [ACCESS, READ, WRITE]), timeout=30), user


def test_long_run_lets_a_short_one_go_first_and_nobody_elses_promise_moves(
    lab: Lab, new_user: NewUser, mine: tuple[SyncPoolClient, str]
):
    client, user = mine
    asked(lab, new_user(), hours=1)
    long, theirs, short = asked(lab, user, "long", 4), asked(lab, new_user(), hours=2), asked(lab, user, "short", 1)
    before = {each: lab.pool.ticket(each) for each in (long, theirs, short)}
    assert before[long].starts_by < before[theirs].starts_by < before[short].starts_by
    moved = client.behind(long, short)
    after = {each: lab.pool.ticket(each) for each in (long, theirs, short)}
    assert after[theirs].starts_by == before[theirs].starts_by
    assert after[theirs].planned_start <= before[theirs].planned_start
    assert after[short].starts_by == before[short].starts_by
    assert after[short].planned_start < before[short].planned_start
    assert moved.starts_by == after[long].planned_start > after[short].planned_start
    assert "stepped_behind" in lab.pool.trail(long)
    assert "promise_broken" not in lab.pool.trail(long)
    lab.pool.stop()
    lab.pool.start()
    assert lab.pool.ticket(long).starts_by == moved.starts_by
    with pytest.raises(PoolRefused, match="behind that one already"):
        client.behind(long, short)


def test_where_the_other_would_not_gain_both_keep_their_places(
    lab: Lab, new_user: NewUser, mine: tuple[SyncPoolClient, str]
):
    client, user = mine
    asked(lab, new_user(), hours=1)
    first, second = asked(lab, user, "first", 1, "gpu-1"), asked(lab, user, "second", 1, "gpu-1")
    before = [lab.pool.ticket(each).starts_by for each in (first, second)]
    with pytest.raises(PoolRefused, match="would not let the other one start sooner"):
        client.behind(first, second)
    assert [lab.pool.ticket(each).starts_by for each in (first, second)] == before
    assert [lab.pool.ticket(each).needs_ready for each in (first, second)] == [False, False]


def test_only_own_tickets_that_wait_change_places(lab: Lab, new_user: NewUser, mine: tuple[SyncPoolClient, str]):
    client, user = mine
    holds = asked(lab, user, "holds")
    waits, theirs = asked(lab, user, "waits"), asked(lab, new_user())
    for one, other, said in (
        (waits, theirs, "You have no ticket"),
        (theirs, waits, "You have no ticket"),
        (waits, holds, "not in line"),
        (waits, waits, "Only two tickets"),
    ):
        with pytest.raises(PoolRefused, match=said):
            client.behind(one, other)
