"""Turns at the desk: told when none comes, and never lost."""

from __future__ import annotations

import asyncio

import pytest
from labpool.service.turns import NoTurn, Turns


async def have_a_turn(turns: Turns, seconds: float = 0.0) -> None:
    async with turns.taken():
        await asyncio.sleep(seconds)


async def test_who_gets_no_turn_in_time_is_told_and_the_next_one_gets_it():
    turns = Turns(patience=0.05)
    async with turns.taken():
        with pytest.raises(NoTurn, match="too slow"):
            await have_a_turn(turns)
    await have_a_turn(turns)


async def test_who_goes_away_while_waiting_leaves_the_turn_to_the_next():
    turns = Turns()
    async with turns.taken():
        first, second = (asyncio.create_task(have_a_turn(turns)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait({first})
    await second
    assert (first.cancelled(), second.done()) == (True, True)


async def test_who_comes_while_a_turn_is_handed_over_waits_behind_and_not_for_ever():
    turns = Turns(patience=0.05)
    async with turns.taken():
        next_one = asyncio.create_task(have_a_turn(turns, seconds=0.2))
        await asyncio.sleep(0)
    with pytest.raises(NoTurn):
        await have_a_turn(turns)
    await next_one


async def test_work_that_fails_gives_its_turn_back():
    turns = Turns(patience=0.05)
    with pytest.raises(ValueError, match="a mistake"):
        async with turns.taken():
            raise ValueError("a mistake")
    await have_a_turn(turns)
