"""Tickets in Kueue's real queues: turns, borrowing, limits, what is taken back, and what is left behind.

The pool around the line is a world in memory: decisions are carried out as the desk does, and servers are only leases.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from labpool.cluster.quantities import thousandths
from labpool.domain.explain import place
from labpool.domain.reasons import WaitReason
from labpool.domain.tickets import State

from tests.kubernetes.accounts import documented_roles, pool_account
from tests.kubernetes.little_pool import LittlePool, played
from tests.kubernetes.queues import KUEUE, Queues

pytestmark = pytest.mark.kubernetes


def names_of(queues: Queues) -> set[str]:
    """All Workloads that are there."""
    items = queues.cluster.api.get(f"/apis/{KUEUE}/namespaces/{queues.namespace}/workloads").json()["items"]
    return {each["metadata"]["name"] for each in items}


def cpu_of(queues: Queues, name: str) -> float:
    """How many cores a Workload asks for."""
    (pod_set,) = queues.workload(name)["spec"]["podSets"]
    return thousandths(pod_set["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"]) / 1000


def node_of(pool: LittlePool, name: str) -> str:
    """The machine that Kueue gives to a ticket; empty for none."""
    verdict = pool.line.verdicts.of.get(name)
    return verdict.node if verdict else ""


def test_turns_machines_places_and_the_next_ones_turn(queues: Queues):
    async def story(pool: LittlePool) -> None:
        first = [pool.ask("ada"), pool.ask("bert"), pool.ask("cleo"), pool.ask("dora")]
        assert await pool.granted(*first) == {"gpu-1", "gpu-2", "gpu-3", "gpu-4"}  # two of them borrow
        second = pool.ask("emil")
        await pool.next_second()
        third = pool.ask("finn")
        await pool.until(lambda: place(pool.ticket(third), pool.world) == 2, "a place")
        assert place(pool.ticket(second), pool.world) == 1
        reasons = (WaitReason.BEHIND_OTHERS, WaitReason.PROJECT_LIMIT)
        await pool.until(lambda: pool.why(third) in reasons, "a reason")
        made = queues.workload(f"ticket-{second}")["metadata"]
        pool.change_profile("gpu-8", cpu=3)
        await pool.until(lambda: cpu_of(queues, f"ticket-{second}") == 3, "what its profile says now")
        left = pool.node(first[1])
        pool.end(first[1])
        assert await pool.granted(second) == {left}
        assert queues.workload(f"ticket-{second}")["metadata"]["uid"] == made["uid"]
        assert pool.lease(third) is None
        assert cpu_of(queues, f"ticket-{first[0]}") == 2  # what has its turn stays as it is
        for name in [*first, second, third]:
            pool.end(name)
        await pool.until(lambda: names_of(queues) == set(), "the end of all Workloads")

    played(queues, story)


def test_who_is_over_the_limit_waits_inactive_and_keeps_the_place(queues: Queues):
    async def story(pool: LittlePool) -> None:
        held = [pool.ask("ada"), pool.ask("ada"), pool.ask("bert"), pool.ask("bert")]
        await pool.granted(*held)
        limited = pool.ask("ada")
        await pool.until(lambda: f"ticket-{limited}" in names_of(queues), "its Workload")
        await pool.next_second()
        later = pool.ask("cleo")
        await pool.until(lambda: place(pool.ticket(later), pool.world) == 1, "a place of the later one")
        assert queues.workload(f"ticket-{limited}")["spec"]["active"] is False
        assert pool.why(limited) is WaitReason.OWN_LIMIT
        await pool.until(lambda: place(pool.ticket(limited), pool.world) == 1, "its own place")
        pool.end(held[0])
        await pool.granted(limited)
        assert pool.lease(later) is None
        pool.end(held[2])
        await pool.granted(later)

    played(queues, story)


def test_owner_gets_back_what_was_borrowed_and_the_borrower_stands_where_it_stood(queues: Queues):
    async def story(pool: LittlePool) -> None:
        borrowed = [pool.ask("ada"), pool.ask("bert"), pool.ask("cleo"), pool.ask("dora")]
        await pool.granted(*borrowed)
        for name in borrowed:
            pool.use(name)
        await pool.until(lambda: queues.has(f"ticket-{borrowed[0]}", "PodsReady"), "PodsReady")
        await pool.next_second()
        waiting, owner = pool.ask("emil"), pool.ask("olga", project="speech")
        await pool.until(lambda: _taken(pool) != [], "somebody who gives back")
        (taken,) = _taken(pool)
        assert pool.line.verdicts.of[taken].taken_for == owner
        await pool.until(lambda: pool.why(owner) is WaitReason.COMING_BACK, "the reason")
        await asyncio.sleep(1)
        await pool.turn()
        assert pool.lease(owner) is None  # Kueue waits for the grace to be over
        pool.requeue(taken)
        await pool.granted(owner)
        await pool.until(lambda: place(pool.ticket(taken), pool.world) == 1, "its place from before")
        await pool.until(lambda: place(pool.ticket(waiting), pool.world) == 2, "the place behind it")
        pool.end(owner)
        await pool.granted(taken)
        assert pool.ticket(taken).attempt == 2
        assert pool.lease(waiting) is None

    played(queues, story)


def _taken(pool: LittlePool) -> list[str]:
    return [each.id for each in pool.world.tickets if each.state is State.RECLAIMING]


def test_what_no_machine_has_room_for_waits_with_that_reason(queues: Queues):
    async def story(pool: LittlePool) -> None:
        held = [pool.ask(user, gpus=5) for user in ("ada", "bert", "cleo", "dora")]
        assert len(await pool.granted(*held)) == 4
        four = pool.ask("emil", gpus=4)
        await pool.until(lambda: pool.why(four) is WaitReason.NO_ROOM, "the reason")
        assert pool.lease(four) is None
        left = pool.node(held[2])
        pool.end(held[2])
        assert await pool.granted(four) == {left}

    played(queues, story)


def test_foreign_workload_is_counted_in_places_and_holds(queues: Queues):
    async def story(pool: LittlePool) -> None:
        for number in (1, 2, 3, 4):
            queues.ask(f"foreign-{number}", "vision", gpus=8)
            queues.wait_admitted(f"foreign-{number}")
        queues.ask("foreign-5", "vision", gpus=8)
        await pool.next_second()
        mine = pool.ask("ada")
        await pool.until(lambda: place(pool.ticket(mine), pool.world) == 2, "a place behind it")
        await pool.until(lambda: pool.line.verdicts.others == {"a100": 32}, "the count of what they hold")
        queues.end("foreign-1", "foreign-5")
        await pool.granted(mine)
        pool.end(mine)
        await pool.until(lambda: names_of(queues) == {"foreign-2", "foreign-3", "foreign-4"}, "only the foreign ones")

    played(queues, story)


def test_lost_attempt_gives_back_and_a_workload_without_ticket_goes(queues: Queues):
    async def story(pool: LittlePool) -> None:
        first = pool.ask("ada")
        await pool.granted(first)
        pool.requeue(first)  # its machine was lost, say: Kueue has not asked for it
        await pool.granted(first)
        assert queues.workload(f"ticket-{first}")["metadata"]["annotations"]["labpool/attempt"] == "2"
        forgotten = replace(pool.world, tickets=(), leases=())  # a store that was set back knows nothing of it
        pool.world = forgotten
        await pool.until(lambda: names_of(queues) == set(), "the end of what nobody knows")

    played(queues, story)


def test_workload_that_somebody_deletes_is_made_anew_and_one_that_is_deactivated_takes_the_lease_back(queues: Queues):
    async def story(pool: LittlePool) -> None:
        held = [pool.ask(user) for user in ("ada", "bert", "cleo")]
        await pool.granted(*held)
        node, before = pool.node(held[1]), queues.workload(f"ticket-{held[1]}")["metadata"]["uid"]
        queues.end(*(f"ticket-{name}" for name in held))
        await pool.until(lambda: len(names_of(queues)) == 3, "Workloads for what is held")
        await pool.until(lambda: all(node_of(pool, name) for name in held), "what they hold")
        assert (pool.line.verdicts.of[held[1]].node, pool.node(held[1])) == (node, node)
        assert queues.workload(f"ticket-{held[1]}")["metadata"]["uid"] != before
        assert _taken(pool) == []
        queues.deactivate(f"ticket-{held[1]}")
        await pool.until(lambda: _taken(pool) == [held[1]], "the taking back")

    played(queues, story)


def test_documented_role_is_enough(queues: Queues):
    cluster, namespace = queues.cluster, queues.namespace
    account = pool_account(cluster, namespace, queues.folder / "kubeconfig")
    cluster.apply(documented_roles("labpool-queues", namespace))

    async def story(pool: LittlePool) -> None:
        first, second = pool.ask("ada"), pool.ask("bert")
        await pool.granted(first, second)
        pool.use(first)
        await pool.until(lambda: queues.has(f"ticket-{first}", "PodsReady"), "PodsReady")
        pool.requeue(first)
        await pool.granted(first)
        waits = pool.ask("cleo"), pool.ask("dora"), pool.ask("emil")
        await pool.until(lambda: any(place(pool.ticket(name), pool.world) for name in waits), "a place")
        assert pool.line.trouble is None
        for name in (first, second, *waits):
            pool.end(name)
        await pool.until(lambda: names_of(queues) == set(), "the end of all Workloads")
        assert pool.line.trouble is None

    try:
        played(queues, story, account)
    finally:
        cluster.kubectl("delete", "clusterrole,clusterrolebinding", "labpool-queues")
