from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import pytest
from labpool.domain.leases import Lease
from labpool.service.desk import NotNow
from labpool.service.in_line import leave_line, say_ready

from tests.real_hub import wait_until
from tests.service.lab import SLEEP, Lab, process_of

pytestmark = pytest.mark.once
NewUser = Callable[[], str]


def test_process_left_behind_by_a_lost_start_is_ended_before_its_devices_are_granted(lab: Lab, new_user: NewUser):
    user = new_user()
    lease = lab.pool.ask(user).json()
    left = process_of(lab, lab.pool.ticket(lease["ticket"]), SLEEP)
    lab.pool.call(lab.pool.parts.desk.stopped(lease["ticket"], user))
    assert left.wait(15) == -signal.SIGKILL


def test_lease_is_not_dropped_while_a_process_still_uses_its_devices(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user())
    left = process_of(lab, ticket, SLEEP)
    os.kill(next(pid for pid in lab.pids(ticket) if pid != left.pid), signal.SIGKILL)
    wait_until(lambda: lab.pool.absent(ticket.id), "absence noted")
    lab.pool.pass_time(timedelta(minutes=5, seconds=1))
    assert left.wait(15) == -signal.SIGKILL
    lab.until(ticket, "ended", "lost")


def test_restarted_pool_knows_every_ticket_lease_and_place(lab: Lab, new_user: NewUser):
    first, second = new_user(), new_user()
    running = lab.running(first, "gpu-4")
    lab.start(second)
    waiting = lab.ticket_of(second)
    lab.pool.stop()
    lab.pool.start()
    assert lab.pool.ticket(running.id).lease == running.lease
    again = lab.pool.ticket(waiting.id)
    assert (again.place, again.starts_by) == (waiting.place, waiting.starts_by)
    lab.stop(first)
    assert lab.until_ready(second).id == waiting.id


def test_leaving_the_queue_moves_the_others_up(lab: Lab, new_user: NewUser):
    lab.running(new_user(), "gpu-4")
    second, third = new_user(), new_user()
    lab.start(second)
    lab.start(third)
    assert lab.ticket_of(third).place == 2
    lab.pool.call(leave_line(lab.pool.parts.desk, lab.ticket_of(second).id, second))
    assert lab.ticket_of(third).place == 1
    assert lab.pool.tickets(second) == ()


def test_devices_are_free_only_when_nothing_that_the_stopped_server_started_is_left(lab: Lab, new_user: NewUser):
    first, second = new_user(), new_user()
    ticket = lab.running(first, "gpu-4")
    left = process_of(lab, ticket, f"import os; os.setsid(); {SLEEP}")
    lab.start(second)
    lab.stop(first)
    wait_until(lambda: lab.pool.ticket(ticket.id).state == "ended", "the lease's end")
    assert left.poll() == -signal.SIGKILL


def test_lease_that_an_admin_ends_says_so(lab: Lab, new_user: NewUser):
    running, waiting = new_user(), new_user()
    ticket = lab.running(running, "gpu-4")
    lab.start(waiting)
    queued = lab.ticket_of(waiting)
    lab.pool.call(leave_line(lab.pool.parts.desk, queued.id, "the-admin"))
    lab.until(queued, "ended", "ended_by_admin")
    lab.pool.call(lab.pool.parts.reconciler.give_back(lab.pool.call(lab.pool.parts.desk.find(ticket.id)), "the-admin"))
    lab.until(ticket, "ended", "ended_by_admin")


def test_lease_given_back_while_its_unclaimed_server_still_stops_is_not_in_line_again(lab: Lab, new_user: NewUser):
    user = new_user()
    lab.start(user)
    ticket = lab.until_ready(user)
    stubborn = process_of(
        lab, ticket, "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(99)"
    )
    lab.pool.pass_time(timedelta(minutes=30, seconds=1))
    wait_until(lambda: lab.pool.trail(ticket.id)[-1] == "stopping", "the end of the claim window")
    lab.pool.call(lab.pool.parts.reconciler.give_back(ticket, user))
    lab.pool.pass_time(timedelta(minutes=1))
    lab.until(ticket, "ended", "stopped")
    assert stubborn.wait(5) == -signal.SIGKILL


def test_late_word_that_an_earlier_server_was_stopped_ends_no_later_lease(lab: Lab, new_user: NewUser):
    user = new_user()
    held = lab.pool.ask(user).json()
    report = {"user": user, "ticket": held["ticket"], "granted_at": "2026-01-01T09:00:00.000001+00:00"}
    assert lab.pool.as_spawner("POST", "/spawns/stopped", report).status_code == 204
    assert lab.pool.ticket(held["ticket"]).lease is not None
    right = report | {"granted_at": held["starts"]}
    assert lab.pool.as_spawner("POST", "/spawns/stopped", right).status_code == 204
    lab.until(lab.pool.ticket(held["ticket"]), "ended", "stopped")


def test_ticket_that_is_back_in_line_has_nothing_to_give_back(lab: Lab, new_user: NewUser):
    user = new_user()
    lab.start(user)
    held = lab.until_ready(user)
    lab.pool.pass_time(timedelta(minutes=30, seconds=1))
    lab.until(held, "queued")
    with pytest.raises(NotNow, match="holds no GPU to give back"):
        lab.pool.call(lab.pool.parts.reconciler.give_back(held, user))
    assert lab.pool.ticket(held.id).state == "queued"


def test_process_with_an_odd_ticket_in_its_environment_stops_nobodys_lease_from_ending(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user())
    environment = {
        b"LABPOOL_TICKET": b"\xff",
        b"LABPOOL_POOL": lab.pool.place().pool_id.encode(),
        b"PATH": b"/usr/bin:/bin",
    }
    odd = subprocess.Popen(["sleep", "99"], env=environment)
    os.kill(lab.pids(ticket)[0], signal.SIGKILL)
    wait_until(lambda: lab.pool.absent(ticket.id), "absence noted")
    lab.pool.pass_time(timedelta(minutes=5, seconds=1))
    lab.until(ticket, "ended", "lost")
    odd.kill()
    odd.wait()


def test_nothing_is_granted_while_no_hub_could_start_it(lab: Lab, new_user: NewUser):
    first, second = new_user(), new_user()
    ticket = lab.running(first, "gpu-4")
    lab.start(second)
    lab.hub.kill_hub()
    lab.pool.call(lab.pool.parts.reconciler.look())
    lab.pool.call(lab.pool.parts.desk.stopped(ticket.id, first))
    assert lab.ticket_of(second).state == "queued"
    lab.hub.start_hub()
    assert lab.until_ready(second).state == "granted"


def test_ticket_of_a_user_whom_the_hub_no_longer_knows_ends_at_once(lab: Lab, new_user: NewUser):
    first, gone = new_user(), new_user()
    lab.running(first, "gpu-4")
    lab.start(gone)
    ticket = lab.ticket_of(gone)
    lab.hub.api("DELETE", f"/users/{gone}")
    lab.stop(first)
    lab.until(ticket, "ended", "no_longer_member")


def test_token_of_an_unclaimed_start_does_not_claim_the_next_one(lab: Lab, new_user: NewUser):
    user = new_user()
    lab.start(user)
    ticket = lab.until_ready(user)
    old = lab.pool.token(ticket.id)
    lab.pool.pass_time(timedelta(minutes=30, seconds=1))
    lab.until(ticket, "queued")
    lab.pool.call(say_ready(lab.pool.parts.desk, ticket.id, user))
    lab.until_ready(user)
    headers = {"Authorization": f"Bearer {old}"}
    answer = httpx.post(f"{lab.pool.url}/api/v1/tickets/{ticket.id}/claim", headers=headers, trust_env=False)
    assert answer.status_code == 401


def test_server_that_finds_no_room_is_in_line_again_where_it_stood_and_is_told_why(
    lab: Lab, new_user: NewUser, monkeypatch: pytest.MonkeyPatch
):
    ticket = lab.running(new_user())
    since, asked = lab.pool.clock(), list[tuple[str, int]]()

    async def unplaced() -> dict[str, datetime]:
        return {} if len(asked) == 3 else {ticket.id: since}

    async def give_up(lease: Lease) -> tuple[str, ...]:
        asked.append((lease.ticket, (await lab.pool.parts.desk.find(lease.ticket)).attempt))
        if len(asked) < 3:
            return ("what won't go",)  # it may find room yet, so the devices stay its own
        await lab.pool.engine.kill(lease.ticket)
        return ()

    monkeypatch.setattr(lab.pool.engine, "unplaced", unplaced)
    monkeypatch.setattr(lab.pool.engine, "give_up", give_up)
    lab.pool.pass_time(timedelta(seconds=31))
    wait_until(lambda: lab.pool.ticket(ticket.id).attempt == 2, "the next attempt")
    assert asked == [(ticket.id, 1)] * 3
    assert {"unplaced", "requeued"} <= set(lab.pool.trail(ticket.id))
    told = lab.pool.call(lab.pool.parts.desk.view(lambda view: view.last_notice_of(ticket.id, "requeued")))
    assert told is not None and "has no room for your server" in told.message
