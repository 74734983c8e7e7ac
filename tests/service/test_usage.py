"""GPU-hours over the API, in the client and on the command line: each sees what is theirs to see."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import httpx
import pytest
from labpool.api_models import UsageView
from labpool.client import PoolClient, PoolRefused
from labpool.domain.calendar import Window
from labpool.domain.ledger import UNITS
from labpool.store.usage import By, Seen, UsageSum

from tests.cli.conftest import run_labpool
from tests.domain.lab import HOUR, NINE
from tests.real_hub import wait_until
from tests.service.desk_history import DeskHistory
from tests.service.lab import Lab
from tests.service.running_pool import POOL_YAML

NewUser = Callable[[], str]
SCOPES = ["access:services!service=pool", "custom:labpool:read"]
ALCHEMY = """
  NAME:
    title: Alchemy
    members: {everyone: true}
    owners: {users: [OWNER]}
    nominal: {demo-gpu: 4}
    profiles: [gpu-1]
queue:"""
_number = count()


@dataclass
class Alchemy:
    """A project in which one of two users ran for an hour on a day long ago by the pool's clock, and one still runs."""

    lab: Lab
    name: str
    owner: str
    first: str
    second: str
    day: str

    def token(self, user: str) -> str:
        return self.lab.hub.admin_token if user == "admin" else self.lab.hub.token_for(user, SCOPES)

    def get(self, user: str, accept: str = "application/json", **query: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token(user)}", "Accept": accept}
        url = f"{self.lab.pool.url}/api/v1/usage"
        return httpx.get(url, params=query, headers=headers, timeout=30, trust_env=False)

    def rows(self, user: str, by: str) -> dict[str, tuple[float, float, int]]:
        answer = self.get(user, by=by, **{"from": self.day})
        view = UsageView.model_validate_json(answer.content)
        return {row.key: (round(row.used), round(row.held), row.runs) for row in view.rows}


@pytest.fixture
def alchemy(lab: Lab, new_user: NewUser) -> Iterator[Alchemy]:
    now = lab.pool.clock()
    lab.pool.pass_time(now.replace(day=1, hour=9) + timedelta(days=32) - now)
    name, owner, first, second = f"alchemy-{next(_number)}", new_user(), new_user(), new_user()
    path = lab.pool.folder / "pool.yaml"
    path.write_text(POOL_YAML.replace("\nqueue:", ALCHEMY.replace("OWNER", owner).replace("NAME", name)))
    lab.pool.call(lab.pool.parts.reconciler.look())
    day = f"{lab.pool.clock():%Y-%m-%d}"
    over = lab.running(first, hours=4, project=name)
    lab.pool.pass_time(HOUR)
    lab.stop(first)
    lab.until(over, "ended", "stopped")
    lab.running(second, hours=2, project=name)
    yield Alchemy(lab, name, owner, first, second, day)
    path.write_text(POOL_YAML)
    lab.pool.call(lab.pool.parts.reconciler.look())


def test_members_see_their_own_owners_their_project_and_admins_all(alchemy: Alchemy, new_user: NewUser):
    assert alchemy.rows(alchemy.first, "project") == {alchemy.name: (1, 0, 1)}
    assert alchemy.rows(alchemy.second, "user") == {alchemy.second: (0, 2, 0)}
    assert alchemy.rows(new_user(), "project") == {}
    both = {alchemy.first: (1, 0, 1), alchemy.second: (0, 2, 0)}
    assert alchemy.rows(alchemy.owner, "user") == both
    assert alchemy.rows("admin", "user").items() >= both.items()
    assert alchemy.rows(alchemy.owner, "flavour") == {"demo-gpu": (1, 2, 1)}
    month = alchemy.day[:7]
    assert alchemy.rows(alchemy.owner, "month") == {month: (1, 2, 1)}


def test_by_term_where_the_lab_names_terms_and_days_in_none_are_told_as_such(alchemy: Alchemy):
    pool, today = alchemy.lab.pool, date.fromisoformat(alchemy.day)
    refused = alchemy.get(alchemy.owner, by="term")
    assert (refused.status_code, refused.json()["reason"]) == (422, "no_terms")
    path, before = pool.folder / "pool.yaml", (pool.folder / "pool.yaml").read_text()

    def sums(first: date, last: date) -> dict[str, tuple[float, float, int]]:
        path.write_text(f"{before}\nterms: [{{name: Short, first: {first}, last: {last}}}]\n")
        pool.call(pool.parts.reconciler.look())
        return alchemy.rows(alchemy.owner, "term")

    day = timedelta(days=1)
    assert sums(today, today) == {"Short": (1, 2, 1)}  # by itself the time is that of the term that is now
    assert sums(today + day, today + day) == {"outside any term": (1, 2, 1), "Short": (0, 0, 0)}
    assert "term,used_gpu_hours" in alchemy.get(alchemy.owner, accept="text/csv", by="term").text


def test_usage_as_csv_for_spreadsheets(alchemy: Alchemy):
    answer = alchemy.get(alchemy.owner, accept="text/csv", by="user", **{"from": alchemy.day})
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["user"] for row in rows} == {alchemy.first, alchemy.second}
    assert [float(row["used_gpu_hours"]) for row in rows if row["user"] == alchemy.first] == [pytest.approx(1, abs=0.1)]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"from": "soon"}, "not_a_time"),
        ({"from": "2026-05-02", "to": "2026-05-01"}, "not_a_window"),
        ({"from": "1000-01-01"}, "not_a_window"),
        ({"by": "shoe size"}, "invalid_request"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "not_a_time"),
    ],
)
def test_bad_input_is_told(lab: Lab, new_user: NewUser, query: dict[str, str], reason: str):
    headers = {"Authorization": f"Bearer {lab.hub.token_for(new_user(), SCOPES)}", "Accept": "text/csv"}
    answer = httpx.get(f"{lab.pool.url}/api/v1/usage", params=query, headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["reason"]) == (422, reason)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_command_prints_a_table_csv_or_json(alchemy: Alchemy):
    environ = {"LABPOOL_URL": alchemy.lab.pool.url, "LABPOOL_TOKEN": alchemy.token(alchemy.owner)}

    def run(*options: str) -> str:
        done = run_labpool("usage", "--from", alchemy.day, "--by", "user", *options, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert alchemy.first in run()
    assert {row["user"] for row in csv.DictReader(io.StringIO(run("--csv")))} == {alchemy.first, alchemy.second}
    assert {row["key"] for row in json.loads(run("--json"))["rows"]} == {alchemy.first, alchemy.second}
    assert run_labpool("usage", "--csv", "--json", **environ).returncode == 2
    refused = run_labpool("usage", "--from", "soon", **environ)
    assert (refused.returncode, "like 2026-05-01" in refused.stderr) == (1, True)


async def _asked(url: str, token: str, day: str) -> UsageView:
    async with PoolClient(url, token) as client:
        with pytest.raises(PoolRefused):
            await client.usage(day, day, "project")
        assert (await client.usage_csv(day, None, "project")).startswith("project,used_gpu_hours")
        return await client.usage(day, None, "project")


def test_client_gives_usage(alchemy: Alchemy):
    found = asyncio.run(_asked(alchemy.lab.pool.url, alchemy.token(alchemy.owner), alchemy.day))
    assert [row.key for row in found.rows] == [alchemy.name]


def test_usage_stays_the_same_when_a_user_is_erased(alchemy: Alchemy):
    before, user = alchemy.rows(alchemy.owner, "project"), alchemy.first
    headers = {"Authorization": f"Bearer {alchemy.token('admin')}"}
    done = httpx.delete(f"{alchemy.lab.pool.url}/api/v1/people/{user}", headers=headers, timeout=30, trust_env=False)
    assert alchemy.rows(alchemy.owner, "project") == before
    assert alchemy.rows(alchemy.owner, "user") == {done.json()["pseudonym"]: (1, 0, 1), alchemy.second: (0, 2, 0)}
    wait_until(lambda: alchemy.rows(user, "project") == {}, "nothing of who comes back")


def test_parts_of_a_run_add_up_to_the_whole_wherever_the_time_is_cut(tmp_path: Path):
    history = DeskHistory(tmp_path)
    history.charge = 0.333
    history._set()
    first = [("ask", 1, 3), ("use", 0, 0), ("wait", 11, 7), ("stop", 0, 0)]
    asyncio.run(history.run([*first, ("ask", 0, 3), ("use", 0, 0), ("wait", 17, 0)]))
    whole = Window(NINE, NINE + 10 * HOUR)

    def used(window: Window) -> UsageSum:
        found = asyncio.run(history.desk.view(lambda view: view.usage(window, By.PROJECT, Seen(all=True))))
        return sum(found.values(), UsageSum())

    assert used(whole).used / UNITS > 2
    assert used(whole).overrun > 0
    for seconds in (1, 1799.9, 4000.123456, 13620.5, 13621, 20000, 31000):
        cut = NINE + timedelta(seconds=seconds)
        first, second = used(Window(NINE, cut)), used(Window(cut, whole.end))
        assert (first.used + second.used, first.overrun + second.overrun) == (used(whole).used, used(whole).overrun)
    by_flavour = asyncio.run(history.desk.view(lambda view: view.usage(whole, By.FLAVOUR, Seen(all=True))))
    assert by_flavour == {"gpu": used(whole)}
    history.engine.dispose()
