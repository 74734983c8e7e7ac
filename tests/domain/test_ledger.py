"""The books of GPU-hours: what is held, used and given back, in whole numbers that add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.ledger import CHARGED, MOVES, UNITS, Account, Kind, Posting, closed, moved, opened

from tests.domain.lab import at, lease

HELD = lease("train", "n1-0", "n1-1", until=4)
ODD = st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=9))


def booked(*postings: Posting) -> list[tuple[str, float]]:
    return [(each.kind.value, each.amount / UNITS) for each in postings]


def balances(*postings: Posting) -> Counter[Account]:
    accounts: Counter[Account] = Counter()
    for each in postings:
        source, target = MOVES[each.kind]
        accounts[source] -= each.amount
        accounts[target] += each.amount
    return accounts


def test_hold_is_devices_times_hours_times_charge():
    assert booked(*opened(HELD)) == [("hold", 8)]
    assert booked(*opened(replace(HELD, charge=0.125))) == [("hold", 1)]


def test_early_end_gives_the_rest_back():
    assert booked(*closed(HELD, at(1))) == [("settlement", 2), ("refund", 6)]
    assert booked(*closed(HELD, at(4))) == [("settlement", 8)]


def test_overrun_is_the_pools_and_never_more_than_the_hold_is_settled():
    assert booked(*closed(HELD, at(4.5))) == [("settlement", 8), ("overrun", 1)]
    assert balances(*opened(HELD), *closed(HELD, at(4.5))) == {
        Account.FREE: -8 * UNITS,
        Account.HELD: 0,
        Account.USED: 9 * UNITS,
        Account.POOL: -UNITS,
    }


def test_what_ends_before_its_start_is_given_back_whole():
    assert booked(*closed(HELD, at(-1))) == [("settlement", 0), ("refund", 8)]


def test_another_end_holds_more_or_less():
    assert booked(*moved(HELD, at(6))) == [("extension", 4)]
    assert booked(*moved(HELD, at(3))) == [("shortening", 2)]
    assert moved(HELD, HELD.ends) == ()


@given(ODD, st.lists(ODD, max_size=4), ODD, st.sampled_from((0.0, 0.001, 0.333, 1.0, 7.77)))
def test_hold_is_used_up_to_the_last_unit_whatever_happens(
    asked: timedelta, ends: list[timedelta], over: timedelta, charge: float
):
    held = replace(HELD, ends=HELD.starts + asked, charge=charge)
    postings = list(opened(held))
    for end in ends:
        postings += moved(held, held.starts + end)
        held = replace(held, ends=held.starts + end)
    postings += closed(held, held.starts + over)
    assert all(each.amount >= 0 for each in postings)
    accounts = balances(*postings)
    assert accounts[Account.HELD] == 0
    settled = sum(each.amount for each in postings if each.kind is Kind.SETTLEMENT)
    assert settled <= sum(CHARGED[each.kind] * each.amount for each in postings if each.kind is not Kind.REFUND)
    assert -accounts[Account.FREE] == settled
