from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import httpx
import psutil
import pytest
from labpool.api_models import TicketView

from tests.real_hub import RealHub, wait_until
from tests.service.running_pool import RunningPool, server_path

NewUser = Callable[[], str]
SLEEP = "print(flush=True); import time; time.sleep(99)"


@dataclass
class Lab:
    """The pool and the hub together, as a researcher and an operator use them."""

    pool: RunningPool
    hub: RealHub

    def start(self, user: str, profile: str = "gpu-1", name: str = "", hours: float = 1) -> httpx.Response:
        options = {"user_options": {"project": "vision", "profile": profile, "hours": hours}}
        return self.hub.api("POST", server_path(user, name), options)

    def stop(self, user: str, name: str = "") -> httpx.Response:
        return self.hub.api("DELETE", server_path(user, name))

    def ticket_of(self, user: str) -> TicketView:
        (ticket,) = self.pool.tickets(user)
        return ticket

    def pids(self, ticket: TicketView) -> tuple[int, ...]:
        return self.pool.call(self.pool.engine.processes()).get(ticket.id, ())

    def until(self, ticket: TicketView, state: str, reason: str | None = None) -> TicketView:
        wait_until(lambda: self.pool.ticket(ticket.id).state == state, f"{state} for {ticket.id}")
        now = self.pool.ticket(ticket.id)
        assert now.end_reason == reason
        return now

    def until_failed(self, ticket: TicketView) -> None:
        wait_until(lambda: self.pool.ticket(ticket.id).state == "ended", "the last try's failure", 60)
        assert self.pool.ticket(ticket.id).end_reason == "failed"

    def until_ready(self, user: str) -> TicketView:
        wait_until(lambda: any(ticket.server_ready for ticket in self.pool.tickets(user)), f"{user}'s server ready")
        return next(ticket for ticket in self.pool.tickets(user) if ticket.server_ready)

    def use(self, ticket: TicketView) -> None:
        """Use the server as a person does, which its own extension reports."""
        token = self.pool.token(ticket.id)
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.pool.url}/api/v1/tickets/{ticket.id}/claim"
        assert httpx.post(url, headers=headers, trust_env=False).status_code == 204

    def running(self, user: str, profile: str = "gpu-1", hours: float = 1) -> TicketView:
        """A server of `user` that was started and used."""
        assert self.start(user, profile, hours=hours).status_code in {201, 202}
        ticket = self.until_ready(user)
        self.use(ticket)
        return self.pool.ticket(ticket.id)


@pytest.fixture
def lab(pool: RunningPool, hub: RealHub) -> Lab:
    return Lab(pool, hub)


def test_started_server_sees_its_lease_and_runs_once_used(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user(), "gpu-4")
    (pid,) = lab.pids(ticket)
    environment = psutil.Process(pid).environ()
    assert environment["CUDA_VISIBLE_DEVICES"] == ""  # simulated devices are no card's UUID
    assert environment["LABPOOL_DEVICES"].count('"simulated": true') == 4
    assert ticket.state == "running"
    assert lab.pool.trail(ticket.id)[:3] == ["filed", "granted", "first_use"]


def test_waiting_server_starts_by_itself_when_the_one_before_stops(lab: Lab, new_user: NewUser):
    first, second = new_user(), new_user()
    lab.running(first, "gpu-4")
    answer = lab.start(second)
    assert answer.status_code == 503
    assert answer.headers["Location"] == lab.ticket_of(second).path
    assert int(answer.headers["Retry-After"]) > 0
    lab.stop(first)
    ticket = lab.until_ready(second)
    assert (ticket.state, len(lab.pids(ticket))) == ("granted", 1)


def test_stopping_ends_the_lease_and_keeps_another_users_ticket(lab: Lab, new_user: NewUser):
    user, other = new_user(), new_user()
    ticket, kept = lab.running(user), lab.running(other)
    lab.stop(user)
    lab.until(ticket, "ended", "stopped")
    assert lab.pool.ticket(kept.id).state == "running"


def test_stop_after_a_refused_start_leaves_the_ticket_in_the_queue(lab: Lab, new_user: NewUser):
    user = new_user()
    lab.running(new_user(), "gpu-4")
    lab.start(user)
    lab.stop(user)
    assert lab.ticket_of(user).state == "queued"


def test_killed_server_keeps_its_lease_and_takes_it_again(lab: Lab, new_user: NewUser):
    user = new_user()
    ticket = lab.running(user)
    os.kill(lab.pids(ticket)[0], signal.SIGKILL)
    wait_until(lambda: not lab.pids(ticket), "the server's end")
    lab.pool.pass_time(timedelta(minutes=4))
    assert lab.start(user).status_code in {201, 202}
    again = lab.until_ready(user)
    assert (again.id, again.state) == (ticket.id, "running")
    assert again.lease is not None
    assert ticket.lease is not None
    assert again.lease.devices == ticket.lease.devices


def test_killed_server_that_nobody_restarts_is_settled_after_the_restart_time(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user())
    os.kill(lab.pids(ticket)[0], signal.SIGKILL)
    wait_until(lambda: not lab.pool.ticket(ticket.id).server_ready, "the death noticed", 15)
    wait_until(lambda: lab.pool.absent(ticket.id), "absence noted")
    lab.pool.pass_time(timedelta(minutes=5, seconds=1))
    lab.until(ticket, "ended", "lost")


def test_unused_grant_goes_back_to_the_queue_once_and_expires_the_second_time(lab: Lab, new_user: NewUser):
    user = new_user()
    lab.start(user)
    ticket = lab.until_ready(user)
    lab.pool.pass_time(timedelta(minutes=30, seconds=1))
    back = lab.until(ticket, "queued")
    assert (back.needs_ready, back.starts_by, lab.pids(ticket)) == (True, None, ())
    lab.pool.call(lab.pool.parts.desk.ready(ticket.id, user))
    lab.until_ready(user)
    lab.pool.pass_time(timedelta(minutes=30, seconds=1))
    lab.until(ticket, "ended", "expired")


def test_ticket_that_is_not_made_ready_expires_after_a_day(lab: Lab, new_user: NewUser):
    user = new_user()
    lab.start(user)
    ticket = lab.until_ready(user)
    lab.pool.pass_time(timedelta(minutes=30, seconds=1))
    lab.until(ticket, "queued")
    lab.pool.pass_time(timedelta(hours=24, seconds=1))
    lab.until(ticket, "ended", "expired")


def test_end_of_the_hours_is_announced_twice_and_then_ends_the_server(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user(), hours=1)
    (pid,) = lab.pids(ticket)
    lab.pool.pass_time(timedelta(minutes=45))
    wait_until(lambda: _notice(lab, ticket) == "ending", "the first notice")
    first = lab.pool.ticket(ticket.id).notice
    lab.pool.pass_time(timedelta(minutes=10))
    wait_until(lambda: lab.pool.ticket(ticket.id).notice != first, "the second notice")
    assert lab.pool.ticket(ticket.id).state == "running"
    lab.pool.pass_time(timedelta(minutes=4))
    lab.until(ticket, "ended", "time_limit")
    assert not psutil.pid_exists(pid)
    assert lab.pool.trail(ticket.id)[-2:] == ["stopping", "time_limit"]


def test_server_that_ignores_sigterm_is_killed_after_its_grace(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user(), hours=1)
    (pid,) = lab.pids(ticket)
    stubborn = _process_of(
        lab, ticket, "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(99)"
    )
    lab.pool.pass_time(timedelta(minutes=59))
    wait_until(lambda: not psutil.pid_exists(pid), "the server's end")
    assert stubborn.poll() is None
    assert lab.pool.ticket(ticket.id).state == "running"  # its devices are in use
    lab.pool.pass_time(timedelta(minutes=1))
    lab.until(ticket, "ended", "time_limit")
    assert stubborn.wait(5) == -signal.SIGKILL


def test_cpu_server_of_the_same_name_is_switched_when_the_turn_comes(lab: Lab, new_user: NewUser):
    first, second = new_user(), new_user()
    lab.running(first, "gpu-4")
    lab.start(second)
    ticket = lab.ticket_of(second)
    assert lab.start(second, "cpu").status_code in {201, 202}
    lab.stop(first)
    wait_until(lambda: lab.pool.ticket(ticket.id).needs_switch, "the question whether to switch")
    assert not lab.pool.ticket(ticket.id).server_ready
    lab.pool.call(lab.pool.parts.reconciler.switch(lab.pool.call(lab.pool.parts.desk.find(ticket.id))))
    assert lab.until_ready(second).id == ticket.id


def test_server_that_cannot_start_fails_after_its_tries(lab: Lab, new_user: NewUser):
    user = new_user()
    runtime = lab.pool.place().runtime / user
    runtime.parent.mkdir(exist_ok=True)
    assert not runtime.exists()
    runtime.write_text("in the way of the server's folder")
    assert lab.start(user).status_code == 500
    ticket = lab.ticket_of(user)
    assert ticket.state == "granted"  # a failed start keeps the lease
    lab.until_failed(ticket)
    runtime.unlink()
    assert lab.pool.trail(ticket.id).count("start_tried") == 2


def test_process_left_behind_by_a_lost_start_is_ended_before_its_devices_are_granted(lab: Lab, new_user: NewUser):
    user = new_user()
    lease = lab.pool.ask(user).json()
    left = _process_of(lab, lab.pool.ticket(lease["ticket"]), SLEEP)
    lab.pool.call(lab.pool.parts.desk.stopped(lease["ticket"], user))
    assert left.wait(15) == -signal.SIGKILL


def test_lease_is_not_dropped_while_a_process_still_uses_its_devices(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user())
    left = _process_of(lab, ticket, SLEEP)
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
    lab.pool.call(lab.pool.parts.desk.leave(lab.ticket_of(second).id, second))
    assert lab.ticket_of(third).place == 1
    assert lab.pool.tickets(second) == ()


def _notice(lab: Lab, ticket: TicketView) -> str | None:
    notice = lab.pool.ticket(ticket.id).notice
    return notice.kind if notice else None


def _process_of(lab: Lab, ticket: TicketView, script: str) -> subprocess.Popen[str]:
    """A process that bears the ticket as everything that its server starts does."""
    environment = {"LABPOOL_TICKET": ticket.id, "LABPOOL_POOL": lab.pool.place().pool_id, "PATH": os.environ["PATH"]}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    wait_until(lambda: process.pid in lab.pids(ticket), "the process found")
    return process


def test_devices_are_free_only_when_nothing_that_the_stopped_server_started_is_left(lab: Lab, new_user: NewUser):
    first, second = new_user(), new_user()
    ticket = lab.running(first, "gpu-4")
    left = _process_of(lab, ticket, f"import os; os.setsid(); {SLEEP}")
    lab.start(second)
    lab.stop(first)
    wait_until(lambda: lab.pool.ticket(ticket.id).state == "ended", "the lease's end")
    assert left.poll() == -signal.SIGKILL


def test_lease_that_an_admin_ends_says_so(lab: Lab, new_user: NewUser):
    running, waiting = new_user(), new_user()
    ticket = lab.running(running, "gpu-4")
    lab.start(waiting)
    queued = lab.ticket_of(waiting)
    lab.pool.call(lab.pool.parts.desk.leave(queued.id, "the-admin"))
    lab.until(queued, "ended", "ended_by_admin")
    lab.pool.call(lab.pool.parts.reconciler.give_back(lab.pool.call(lab.pool.parts.desk.find(ticket.id)), "the-admin"))
    lab.until(ticket, "ended", "ended_by_admin")


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
    lab.pool.call(lab.pool.parts.desk.ready(ticket.id, user))
    lab.until_ready(user)
    headers = {"Authorization": f"Bearer {old}"}
    answer = httpx.post(f"{lab.pool.url}/api/v1/tickets/{ticket.id}/claim", headers=headers, trust_env=False)
    assert answer.status_code == 401
