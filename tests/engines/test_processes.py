from __future__ import annotations

import os
import signal

import pytest
from labpool.engines.proc import ProcessTable, describe
from labpool.settings import Place

from tests.engines.conftest import ADA, BERT, MakeEngine, Servers


async def test_processes_are_found_by_the_ticket_in_their_environment(make_engine: MakeEngine, servers: Servers):
    ada, bert = servers.start(ADA), servers.start(BERT)
    servers.start(None)
    assert await make_engine().processes() == {ADA: (ada.pid,), BERT: (bert.pid,)}


async def test_processes_of_another_pool_on_the_machine_are_not_ours(make_engine: MakeEngine, servers: Servers):
    own = servers.pool_id
    servers.pool_id = own[:-1]
    servers.start(ADA)
    servers.pool_id = own + "0"
    servers.start(BERT)
    assert await make_engine().processes() == {}


async def test_children_that_cleared_their_environment_are_found_and_killed(make_engine: MakeEngine, servers: Servers):
    server = servers.start(ADA, "env -i sh -c 'echo ready; read line'; :")
    engine = make_engine()
    pids = (await engine.processes())[ADA]
    assert server.pid in pids and len(pids) == 2
    assert await engine.kill(ADA) == ()
    assert await engine.processes() == {}


async def test_terminate_asks_and_leaves_others_alone(make_engine: MakeEngine, servers: Servers):
    ada, bert = servers.start(ADA), servers.start(BERT)
    assert await make_engine().terminate(ADA) == (ada.pid,)
    assert ada.wait(10) == -signal.SIGTERM
    assert bert.poll() is None


async def test_kill_ends_what_ignores_terminate(make_engine: MakeEngine, servers: Servers):
    stubborn = servers.start(ADA, "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    engine = make_engine()
    await engine.terminate(ADA)
    assert stubborn.poll() is None
    assert await engine.kill(ADA) == ()
    assert await engine.processes() == {}


async def test_ending_a_ticket_without_processes_is_done_at_once(make_engine: MakeEngine):
    assert await make_engine().terminate("nobody") == ()
    assert await make_engine().kill("nobody") == ()


def test_a_process_is_described_by_program_and_account(servers: Servers):
    words = describe(servers.start(ADA).pid)
    assert words is not None
    assert (words.program, words.owner != "") == ("sh", True)


def test_a_process_that_is_gone_is_nobodys(servers: Servers, place: Place):
    process = servers.start(ADA)
    process.kill()
    process.wait()
    assert describe(process.pid) is None
    assert ProcessTable(place.pool_id).ticket_of(process.pid) is None


def test_looking_while_processes_come_and_go_misses_none_that_stays(servers: Servers, place: Place):
    servers.start(None, "echo ready; while :; do sleep 0 & sleep 0 & wait; done")
    ada = servers.start(ADA)
    table = ProcessTable(place.pool_id)
    assert all(table.by_ticket() == {ADA: (ada.pid,)} for _ in range(50))


@pytest.mark.root
def test_processes_of_other_accounts_are_passed_over(servers: Servers, place: Place):
    servers.start(ADA)
    table = ProcessTable(place.pool_id)
    child = os.fork()
    if child == 0:  # pragma: no cover
        status = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            status = 0 if table.by_ticket() == {} and table.send(ADA, signal.SIGTERM) == () else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
