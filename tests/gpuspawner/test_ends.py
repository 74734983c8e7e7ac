"""Servers that are stopped, die, or fail to start, with a real hub, a real pool and tiny servers."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.gpuspawner.test_starts import CPU, GPU_1
from tests.real_hub import wait_until
from tests.running_lab import RunningLab
from tests.using import look_up

pytestmark = pytest.mark.hub


def test_server_that_died_keeps_its_lease_and_gets_it_again(lab: RunningLab):
    lab.start_server("ada", GPU_1)
    lab.wait_ready("ada")
    ticket = lab.ticket("ada")
    assert ticket is not None
    killed = lab.labs()  # one may still be going that served a test before
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: not lab.is_active("ada") or bool(set(lab.labs()) - set(killed)),
        "the hub's notice of the death, or the pool's next start of what nobody has used yet",
    )
    lab.start_server("ada", GPU_1)
    lab.wait_ready("ada")
    assert lab.told("ada")["LABPOOL_TICKET"] == ticket.id


def test_stop_by_the_user_ends_the_lease(lab: RunningLab):
    lab.start_server("ada", GPU_1)
    lab.wait_ready("ada")
    _stop(lab)


def test_stop_after_a_restart_of_the_hub_ends_the_lease_too(lab: RunningLab):
    lab.start_server("ada", GPU_1)
    lab.wait_ready("ada")
    (before,) = lab.pids("hub")
    lab.kill("hub")
    wait_until(lambda: lab.pids("hub") not in ([], [before]), "a new hub")
    wait_until(lambda: _answers(lab), "the hub's answer")
    lab.wait_ready("ada")
    _stop(lab)


def _stop(lab: RunningLab) -> None:
    """Stop ada's server, which ends the lease for that reason and not as one whose server is lost."""
    ticket = lab.ticket("ada")
    assert ticket is not None
    lab.stop_server("ada")
    wait_until(lambda: not lab.leased(), "the end of the lease")
    assert look_up(lab, ticket).end_reason == "stopped"


def test_cpu_server_ends_after_its_hours(lab: RunningLab):
    lab.start_server("ada", {"project": "vision", "profile": "cpu", "hours": 0.001})
    wait_until(lambda: not lab.is_active("ada"), "the end of the CPU server")
    assert "hours are over" in lab.log("hub")


def _answers(lab: RunningLab) -> bool:
    try:
        return lab.api("GET", "/users/ada").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("trouble", ["break-the-server", "hang-the-server"])
def test_start_that_failed_keeps_the_lease_for_the_next_try(lab: RunningLab, trouble: str):
    home = lab.place.home_of("olga")
    home.mkdir(exist_ok=True)
    (home / trouble).touch()
    lab.start_server("olga", GPU_1)
    ticket = lab.ticket("olga")
    assert ticket is not None
    wait_until(lambda: not lab.is_active("olga"), "the hub's end of the failed start")
    assert list(lab.leased()) == [ticket.id]
    (home / trouble).unlink()
    wait_until(lambda: lab.is_ready("olga") or lab.start_server("olga", GPU_1).status_code == 201, "the next try")
    lab.wait_ready("olga")
    assert lab.told("olga")["LABPOOL_TICKET"] == ticket.id


@pytest.mark.parametrize("killed", ["after the note of its number", "just before"])
def test_process_that_a_killed_hub_forgot_is_ended_before_the_next_start(lab: RunningLab, killed: str):
    lab.start_server("ada", CPU)
    lab.wait_ready("ada")
    (forgotten,) = lab.labs()
    lab.kill_hub_before_it_saves("ada")
    if killed == "just before":
        (lab.place.runtime_of("ada", "") / "server.pid").write_text("")
    wait_until(lambda: _answers(lab), "the hub's answer")
    assert lab.labs() == [forgotten]
    lab.start_server("ada", CPU)
    lab.wait_ready("ada")
    assert len(lab.labs()) == 1
    assert "had forgotten" in lab.log("hub")


def test_stop_while_the_pool_hangs_is_told_as_soon_as_it_answers(lab: RunningLab):
    lab.start_server("ada", GPU_1)
    lab.wait_ready("ada")
    ends_so_far = lab.log("pool").count('"stopped"')
    lab.signal("pool", signal.SIGSTOP)
    lab.stop_server("ada")
    lab.signal("pool", signal.SIGCONT)
    wait_until(lambda: lab.log("pool").count('"stopped"') > ends_so_far, "the end of the lease by its user")
    assert lab.leased() == {}
    assert not lab.is_active("ada")


def test_stop_that_the_pool_did_not_hear_stands_when_a_new_start_gets_no_answer_either(lab: RunningLab):
    lab.start_server("ada", GPU_1)
    lab.wait_ready("ada")
    ends_so_far = lab.log("pool").count('"stopped"')
    lab.signal("pool", signal.SIGSTOP)
    try:
        lab.stop_server("ada")
        answer = lab.start_server("ada", GPU_1)
        assert answer.status_code in {202, 503}  # 202 where it still waits for an answer
        wait_until(lambda: not lab.servers("ada"), "the end of the start without an answer")
    finally:
        lab.signal("pool", signal.SIGCONT)
    wait_until(lambda: lab.log("pool").count('"stopped"') > ends_so_far, "the end of the lease by its user")


def test_start_while_the_hub_clears_a_dead_server_away_starts_it_anew(lab: RunningLab):
    lab.start_server("ada", CPU)
    lab.wait_ready("ada")
    noticed = lab.log("hub").count("ada server stopped")
    lab.signal("proxy", signal.SIGSTOP)  # so that the hub stays long at taking the dead server's route away
    try:
        os.kill(lab.labs()[0], signal.SIGKILL)
        wait_until(lambda: lab.log("hub").count("ada server stopped") > noticed, "the death noticed")
        with ThreadPoolExecutor() as people:
            answer = people.submit(lab.start_server, "ada", CPU)
            time.sleep(1)
            lab.signal("proxy", signal.SIGCONT)
            assert answer.result().status_code in {201, 202}
    finally:
        lab.signal("proxy", signal.SIGCONT)
    lab.wait_ready("ada")
    assert len(lab.labs()) == 1
