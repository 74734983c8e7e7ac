from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest
from labpool.engines.patience import Patient, StillWaiting


class Call:
    """A call that returns when the test lets it."""

    def __init__(self) -> None:
        self.times = 0
        self.may_return = threading.Event()

    def __call__(self) -> int:
        self.times += 1
        self.may_return.wait(30)
        return self.times


async def answer(patient: Patient[int]) -> int:
    """Ask until the answer is there, at most half a minute."""
    for _ in range(150):
        with contextlib.suppress(StillWaiting):
            return await patient()
    raise AssertionError("no answer for half a minute")


async def test_call_that_hangs_is_not_made_again_and_its_late_answer_is_taken():
    call = Call()
    patient = Patient(call, 0.2)
    for _ in range(3):
        with pytest.raises(StillWaiting, match=r"no answer for 0\.2 s"):
            await patient()
    assert call.times == 1
    call.may_return.set()
    assert [await answer(patient) for _ in range(2)] == [1, 2]


async def test_those_who_ask_together_share_one_call():
    call = Call()
    patient = Patient(call, 30)
    asked = [asyncio.create_task(patient()) for _ in range(3)]
    await asyncio.sleep(0)
    call.may_return.set()
    assert await asyncio.gather(*asked) == [1, 1, 1]


async def test_failure_of_the_call_reaches_who_asked_and_the_next_one_starts_anew():
    answers = iter([ZeroDivisionError("first"), None])

    def call() -> str:
        failure = next(answers)
        if failure:
            raise failure
        return "fine"

    patient = Patient(call, 30)
    with pytest.raises(ZeroDivisionError, match="first"):
        await patient()
    assert await patient() == "fine"
