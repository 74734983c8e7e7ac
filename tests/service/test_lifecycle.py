from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta

import psutil
from labpool.api_models import TicketView
from labpool.domain.tickets import State
from labpool.service.in_line import say_ready

from tests.real_hub import wait_until
from tests.service.lab import Lab, process_of

NewUser = Callable[[], str]


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
    assert (back.notice and back.notice.kind) == "unclaimed"
    lab.pool.call(say_ready(lab.pool.parts.desk, ticket.id, user))
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
    wait_until(lambda: not psutil.pid_exists(pid), "the hub's last look at the process")
    assert lab.pool.trail(ticket.id)[-2:] == ["stopping", "time_limit"]


def test_server_that_ignores_sigterm_is_killed_after_its_grace(lab: Lab, new_user: NewUser):
    ticket = lab.running(new_user(), hours=1)
    (pid,) = lab.pids(ticket)
    stubborn = process_of(
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


def test_switch_that_nobody_answers_gives_the_gpus_back_and_leaves_the_cpu_server(lab: Lab, new_user: NewUser):
    first, second = new_user(), new_user()
    lab.running(first, "gpu-4")
    lab.start(second)
    ticket = lab.ticket_of(second)
    lab.start(second, "cpu")
    lab.stop(first)
    wait_until(lambda: lab.pool.ticket(ticket.id).needs_switch, "the question whether to switch")
    wait_until(lambda: _claim_window_runs(lab, ticket), "the start of the claim window")
    lab.pool.pass_time(timedelta(minutes=29))
    assert lab.pool.ticket(ticket.id).needs_switch
    lab.pool.pass_time(timedelta(minutes=1, seconds=30))
    back = lab.until(ticket, "queued")
    assert (back.needs_ready, back.lease, back.needs_switch) == (True, None, False)
    assert lab.start(second, "cpu").status_code == 400  # the hub's word for a server that runs


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


def _claim_window_runs(lab: Lab, ticket: TicketView) -> bool:
    seen = lab.pool.ticket(ticket.id)
    return seen.lease is not None and seen.claim_by is not None and seen.claim_by < seen.lease.ends


def _notice(lab: Lab, ticket: TicketView) -> str | None:
    notice = lab.pool.ticket(ticket.id).notice
    return notice.kind if notice else None


def test_server_used_in_the_last_moment_of_its_claim_window_is_not_stopped_by_a_look_that_began_before(
    lab: Lab, new_user: NewUser
):
    user = new_user()
    lab.start(user)
    seen = lab.until_ready(user)
    lab.use(seen)
    assert seen.lease is not None
    desk, as_seen = lab.pool.parts.desk, (State.GRANTED, seen.lease.ends)
    assert lab.pool.call(desk.stopping(seen.id, "pool", seen=as_seen)) is False
    assert "stopping" not in lab.pool.trail(seen.id)
