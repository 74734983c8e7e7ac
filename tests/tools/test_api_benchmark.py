"""The benchmark of the service in its quickest form: it answers every question, however long that takes here."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import bench
import pytest
from labpool.api_models import ServerAsked
from labpool.store import connect
from labpool.store.models import Base
from sqlalchemy import func, select

from benchmarks.api import PARTS, Size, measure
from benchmarks.serving import creating
from benchmarks.serving.bare import GRANTED, QUEUED, BareWriter

pytestmark = pytest.mark.once

QUICKEST = Size(
    creates=1, asks=2, turns=1, streams=4, grant_rounds=1, open_tickets=20, restarts=1, leases=1_000, queries=1
)
ANSWERS = {"create": 2, "decide": 2, "streams": 2, "restart": 2, "past": 15}


@pytest.mark.soak
@pytest.mark.postgresql
@pytest.mark.parametrize("part", PARTS)
def test_each_part_answers_its_questions(part: str, capsys: pytest.CaptureFixture[str]):
    asyncio.run(measure(QUICKEST, (part,), ("SQLite",)))
    lines = capsys.readouterr().out.splitlines()
    answers = [answer for line in lines if (answer := bench.parse(line))]
    assert len(answers) == ANSWERS[part]
    assert all(answer.ours > 0 and answer.name.startswith("api: ") for answer in answers)
    assert all(json.loads(line) for line in lines)


def rows_in(url: str) -> dict[str, int]:
    engine = connect(url)
    with engine.connect() as connection:
        tables = Base.metadata.sorted_tables
        found = {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables}
    engine.dispose()
    return found


@pytest.mark.parametrize("kind", [GRANTED, QUEUED])
async def test_the_bare_route_writes_the_rows_that_the_pool_writes(kind: str, tmp_path: Path):
    ours, bare = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("ours", "bare"))
    with creating.desk(tmp_path / "pool.yaml", ours, nodes=1) as desk:
        for number in range(0 if kind == GRANTED else 8):
            await desk.ask(creating.spawn(number))
        await desk.ask(creating.spawn(100))  # the person is known, and has a pseudonym, from now on
        before = rows_in(ours)
        await desk.ask(creating.spawn(100 + creating.CLIENTS))
        after = rows_in(ours)
    writer = BareWriter(bare)
    writer.write(kind, "user-4", ServerAsked(name="server", project="everybody", profile="one", hours=1))
    writer.engine.dispose()
    assert rows_in(bare) == {table: after[table] - before[table] for table in after}
