"""The benchmark of clusters in its quickest form: it answers every question, however long that takes here."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import bench
import pytest

from benchmarks.kubernetes import PARTS, Size, measure
from benchmarks.on_cluster.large import LargeSize
from benchmarks.on_cluster.requests import AskedOf

QUICKEST = Size(rounds=1, starts_of_one=1, at_once=3, beside=1, large=LargeSize(nodes=20, tickets=60, releases=2))
ANSWERS = {"spawn": 6, "cpu": 1, "large": 8}


@pytest.mark.soak
@pytest.mark.kubernetes
@pytest.mark.hub
@pytest.mark.once
@pytest.mark.parametrize("part", PARTS)
def test_each_part_answers_its_questions(part: str, capsys: pytest.CaptureFixture[str]):
    asyncio.run(measure(QUICKEST, (part,)))
    lines = capsys.readouterr().out.splitlines()
    answers = [answer for line in lines if (answer := bench.parse(line))]
    assert len(answers) == ANSWERS[part]
    assert all(answer.ours > 0 and answer.name.startswith("kubernetes: ") for answer in answers)


def test_requests_are_counted_by_account_from_a_moment_on_and_watches_are_not(tmp_path: Path):
    log, told = tmp_path / "audit", [("pool", "create"), ("pool", "watch"), ("other", "create"), ("pool", "patch")]
    lines = [json.dumps({"user": {"username": account}, "verb": verb}) + "\n" for account, verb in told]
    log.write_text("".join(lines), encoding="utf-8")
    asked_of = AskedOf(log)
    assert asked_of.by("pool") == 2
    asked_of.forget()
    assert asked_of.by("pool") == 0
    with log.open("a", encoding="utf-8") as more:
        more.write(lines[0] + lines[3][:10])  # of which the API server is just writing the rest
    assert asked_of.by("pool") == 1
