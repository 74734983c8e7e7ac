"""Extending a lease over the pool's API, and what becomes of its end and of who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import pytest
from labpool.api_models import NoticeView, TicketView
from labpool.client import PoolClient, PoolRefused, SyncPoolClient
from labpool.domain.tickets import State
from labpool.service.page_words import start_again_path

from tests.real_hub import wait_until
from tests.service.lab import Lab
from tests.service.running_pool import POOL_YAML
from tests.service.test_api import ACCESS, READ, WRITE, Program

NewUser = Callable[[], str]
HOUR = timedelta(hours=1)


def program(lab: Lab, user: str) -> Program:
    return Program(lab.hub, user, [ACCESS, READ, WRITE])


def end_of(ticket: TicketView) -> datetime:
    assert ticket.lease is not None
    return ticket.lease.ends


def extended(lab: Lab, ticket: TicketView, hours: float) -> TicketView:
    answer = program(lab, ticket.user).post(f"/tickets/{ticket.id}/extend", {"hours": hours})
    assert answer.status_code == 200, answer.text
    return TicketView.model_validate_json(answer.content)


def refused(lab: Lab, ticket: TicketView, hours: float = 1) -> tuple[int, str]:
    answer = program(lab, ticket.user).post(f"/tickets/{ticket.id}/extend", {"hours": hours})
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["reason"]


def notice(lab: Lab, ticket: TicketView) -> NoticeView | None:
    return lab.pool.ticket(ticket.id).notice


def until_told(lab: Lab, ticket: TicketView, end: datetime, after: NoticeView | None) -> NoticeView:
    """Wait for a notice of an end that is another one than `after`."""
    wait_until(lambda: notice(lab, ticket) != after and kind_of(notice(lab, ticket)) == "ending", "a notice of the end")
    found = notice(lab, ticket)
    assert found is not None
    assert found.ends_at == end
    return found


def kind_of(found: NoticeView | None) -> str:
    return found.kind if found else ""


def test_extended_server_runs_past_its_first_end_and_is_told_of_the_new_one(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user(), hours=1)
    assert ticket.extendable_until == end_of(ticket) + 7 * HOUR  # 8 in all
    lab.pool.pass_time(timedelta(minutes=46))
    until_told(lab, ticket, end_of(ticket), None)
    longer = extended(lab, ticket, 1)
    assert (end_of(longer), longer.hours) == (end_of(ticket) + HOUR, 2)
    said = longer.notice
    assert said is not None
    assert (said.kind, said.ends_at, said.message) == ("extended", end_of(longer), "You extended this server by 1 h.")
    lab.pool.pass_time(HOUR)
    first = until_told(lab, ticket, end_of(longer), said)
    lab.pool.pass_time(timedelta(minutes=10))
    until_told(lab, ticket, end_of(longer), first)
    assert lab.pool.ticket(ticket.id).state == "running"
    lab.pool.pass_time(timedelta(minutes=4))
    lab.until(ticket, "ended", "time_limit")
    assert lab.pool.trail(ticket.id)[2:] == ["first_use", "extended", "stopping", "time_limit"]


def test_who_waits_keeps_the_time_that_was_promised(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user(), "gpu-4", hours=4)
    longer = extended(lab, ticket, 2)
    waits = new_user()
    assert lab.start(waits).status_code == 503
    promised = lab.ticket_of(waits)
    assert promised.starts_by == end_of(longer) + timedelta(minutes=1)
    assert refused(lab, ticket) == (409, "promised")
    seen = lab.pool.ticket(ticket.id)
    assert (seen.extendable_until, seen.lease) == (None, longer.lease)
    assert "its GPUs are kept for others" in seen.no_extension
    assert lab.ticket_of(waits).starts_by == promised.starts_by


def test_all_extensions_are_bounded_together(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user(), hours=7.5)
    assert refused(lab, ticket, 0.75) == (422, "too_long_in_all")
    extended(lab, ticket, 0.5)
    assert refused(lab, ticket, 0.5) == (422, "too_long_in_all")
    assert refused(lab, ticket, 0.1) == (422, "too_short")
    assert refused(lab, ticket, -1) == (422, "invalid_request")


def test_profile_may_allow_more_in_all_than_at_once(lab: Lab, new_user: NewUser):
    path = lab.pool.folder / "pool.yaml"
    path.write_text(POOL_YAML.replace("max_hours: 8, preset: single", "max_hours: 8, max_total_hours: 10"))
    wait_until(lambda: lab.pool.parts.desk.catalogue.profiles["gpu-1"].longest_in_all == 10 * HOUR, "the new rules")
    ticket = lab.running(new_user(), hours=8)
    assert refused(lab, ticket, 1) == (409, "too_long")
    lab.pool.pass_time(HOUR)
    longer = extended(lab, ticket, 1)
    assert longer.hours == 9
    assert "opt-hours=8" in start_again_path(longer, lab.pool.parts.desk.catalogue)  # the form takes no more
    path.write_text(POOL_YAML)
    wait_until(lambda: lab.pool.parts.desk.catalogue.profiles["gpu-1"].longest_in_all is None, "the old rules")
    assert lab.pool.ticket(ticket.id).state == "running"


def test_only_what_is_in_use_is_extended(lab: Lab, new_user: NewUser):
    user, waits = new_user(), new_user()
    lab.start(user, "gpu-4")
    granted = lab.until_ready(user)
    assert refused(lab, granted) == (409, "not_in_use")
    lab.start(waits)
    assert refused(lab, lab.ticket_of(waits)) == (409, "not_in_use")
    lab.stop(user)
    lab.until(granted, "ended", "stopped")
    assert refused(lab, granted) == (409, "not_in_use")


def test_only_the_owner_and_admins_may_extend(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user())
    path = f"/tickets/{ticket.id}/extend"
    assert program(lab, new_user()).post(path, {"hours": 1}).status_code == 404
    reader = Program(lab.hub, ticket.user, [ACCESS, READ])
    assert reader.post(path, {"hours": 1}).json()["reason"] == "missing_scope"
    headers = {"Authorization": f"Bearer {lab.hub.admin_token}"}
    answer = httpx.post(f"{lab.pool.url}/api/v1{path}", json={"hours": 1}, headers=headers, trust_env=False)
    assert answer.json()["notice"]["message"] == "An admin extended this server by 1 h."


def test_stop_that_was_due_for_the_first_end_is_dropped(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user())
    extended(lab, ticket, 1)
    desk = lab.pool.parts.desk
    assert not lab.pool.call(desk.stopping(ticket.id, "pool", seen=(State.RUNNING, end_of(ticket))))
    assert "stopping" not in lab.pool.trail(ticket.id)


def test_client_extends_and_passes_the_refusal_on(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user())
    token = lab.hub.token_for(ticket.user, [ACCESS, READ, WRITE])

    async def once_more() -> TicketView:
        async with PoolClient(lab.pool.url, token) as client:
            return await client.extend(ticket.id, 0.5)

    with SyncPoolClient(lab.pool.url, token) as client:
        assert end_of(client.extend(ticket.id, 1.5)) == end_of(ticket) + 1.5 * HOUR
        assert end_of(asyncio.run(once_more())) == end_of(ticket) + 2 * HOUR
        with pytest.raises(PoolRefused, match="8 h in all") as caught:
            client.extend(ticket.id, 7)
    assert (caught.value.problem.reason, caught.value.problem.title) == ("too_long_in_all", "Not extended")
