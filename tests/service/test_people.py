"""Erasing a person from a running pool, over the API and by `labpool users erase`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import httpx
from labpool.store.audit_check import heads_in
from labpool.store.audit_reading import verify_audit
from labpool.store.models import Base
from labpool.store.reading import reading
from sqlalchemy import select

from tests.cli.conftest import run_labpool
from tests.service.lab import Lab

NewUser = Callable[[], str]
ACCESS = "access:services!service=pool"


def erase(lab: Lab, name: str, token: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token or lab.hub.admin_token}"}
    return httpx.delete(f"{lab.pool.url}/api/v1/people/{name}", headers=headers, timeout=30, trust_env=False)


def stands_in_store(lab: Lab, name: str) -> bool:
    """Whether the name is anywhere in the database: in its files too where these are at hand."""
    with reading(lab.pool.database_url) as session:
        kept = repr([session.execute(select(table)).all() for table in Base.metadata.sorted_tables]).encode()
    database = lab.pool.place().pool_db
    files = b"".join(file.read_bytes() for file in sorted(database.parent.glob(f"{database.name}*")))
    return re.search(rf"{name}(?!\d)".encode(), kept + files) is not None


def erase_by_command(lab: Lab, name: str) -> tuple[int, str, str]:
    environ = {"LABPOOL_URL": lab.pool.url, "LABPOOL_TOKEN": lab.hub.admin_token}
    done = run_labpool("users", "erase", name, "--yes", "--json", **environ)
    return done.returncode, done.stdout, done.stderr


def test_person_is_erased_once_nothing_of_theirs_is_open(lab: Lab, new_user: NewUser):
    user, admin = new_user(), "test-admin"
    ticket = lab.running(user)
    refused = erase(lab, user)
    assert (refused.status_code, refused.json()["reason"]) == (409, "person_has_open_tickets")
    assert ticket.id in refused.json()["detail"]
    code, _, said = erase_by_command(lab, user)
    assert (code, ticket.id in said) == (1, True)
    lab.stop(user)
    lab.until(ticket, "ended", "stopped")
    assert stands_in_store(lab, user)
    code, told, said = erase_by_command(lab, user)
    assert code == 0, said
    erased = json.loads(told)
    assert (erased["tickets"], erased["leases"]) == (1, 1)
    assert not stands_in_store(lab, user)
    assert lab.pool.ticket(ticket.id).user == erased["pseudonym"]
    trail = lab.pool.call(lab.pool.parts.desk.view(lambda view: view.audit_trail()))
    assert (trail[-1].actor, trail[-1].event) == (admin, "person_erased")
    assert {entry.actor for entry in trail if entry.ticket == ticket.id and entry.event == "filed"} == {
        erased["pseudonym"]
    }
    heads = heads_in(lab.pool.place().audit_heads.read_text().splitlines())
    assert verify_audit(lab.pool.database_url, heads).broken is None
    assert erase(lab, user).json()["reason"] == "no_such_person"
    assert lab.running(user).state == "running"  # back again, as somebody new


def test_only_admins_erase_and_nobody_themselves(lab: Lab, new_user: NewUser):
    user = new_user()
    token = lab.hub.token_for(user, [ACCESS, "custom:labpool:read", "custom:labpool:write"])
    assert erase(lab, "ada", token).json()["reason"] == "missing_scope"
    assert erase(lab, "test-admin").json()["reason"] == "not_yourself"
    assert erase(lab, "a/b c").json()["reason"] == "no_such_person"


def test_command_tells_what_is_missing(lab: Lab):
    done = run_labpool("users", "erase", "ada", "--yes")
    assert (done.returncode, "LABPOOL_URL" in done.stderr) == (3, True)
    away = run_labpool("users", "erase", "ada", "--yes", LABPOOL_TOKEN="x", LABPOOL_URL="http://127.0.0.1:9/pool")
    assert (away.returncode, "gives no answer" in away.stderr) == (3, True)
    assert "can't be undone" in run_labpool("users", "erase", "ada", LABPOOL_TOKEN="x").stderr
