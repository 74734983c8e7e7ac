"""Whatever an engine with a queue of its own decides, the pool's own rules hold at each grant."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.admitted import plan_admitted
from labpool.domain.budgets import Budget, Per
from labpool.domain.catalogue import Catalogue
from labpool.domain.inventory import Condition
from labpool.domain.plans import Plan
from labpool.domain.tickets import State, Ticket
from labpool.domain.usage import HOUR
from labpool.domain.verdicts import Verdict, Verdicts
from labpool.domain.world import World

from tests.domain.lab import NINE, catalogue, end, follow, inventory, ticket

NODES = ("n1", "n2", "n3")
BUDGET = 6.0


def rules() -> Catalogue:
    found = catalogue({"vision": (2, 2), "speech": (2, 1)}, gpus=3)
    poor = replace(found.projects["speech"], budget=Budget(BUDGET, Per.YEAR))
    return replace(found, projects=dict(found.projects) | {"speech": poor})


@st.composite
def asked(draw: st.DrawFn) -> tuple[Ticket, ...]:
    def one(number: int) -> Ticket:
        user, project = draw(st.sampled_from("abc")), draw(st.sampled_from(["vision", "speech"]))
        gpus, hours = draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 4]))
        return ticket(f"t{number}", user, gpus, hours, asked=-number / 10, project=project)

    return tuple(one(number) for number in range(draw(st.integers(1, 8))))


@st.composite
def verdict(draw: st.DrawFn, of: Ticket) -> Verdict:
    attempt = draw(st.sampled_from([of.attempt, of.attempt, of.attempt + 1]))
    return Verdict(of.id, attempt, draw(st.sampled_from(["", *NODES])), goes_back=draw(st.integers(0, 4)) == 0)


@given(asked(), st.data())
def test_grants_keep_limits_shares_budgets_and_devices(tickets: tuple[Ticket, ...], data: st.DataObject):
    world = World(inventory({"n1": 3, "n2": 2, "n3": 2}, n3=Condition.DRAINED), rules(), tickets)
    for _ in range(4):
        told = Verdicts({each.id: data.draw(verdict(each)) for each in world.tickets})
        decided = plan_admitted(replace(world, verdicts=told), told, NINE)
        check(world, told, decided)
        world = follow(world, decided, NINE)
        held = [lease.ticket for lease in world.leases]
        world = end(world, *(data.draw(st.lists(st.sampled_from(held), max_size=2)) if held else ()))


def check(world: World, told: Verdicts, decided: Plan) -> None:
    after = follow(world, decided, NINE)
    devices = Counter(device for lease in after.leases for device in lease.devices)
    assert all(count == 1 for count in devices.values())
    nodes = {device.id: device.node for device in world.inventory.devices}
    for grant in decided.grants:
        asked_for = next(each for each in world.tickets if each.id == grant.ticket)
        said = told.of[grant.ticket]
        assert asked_for.state is State.QUEUED
        assert (said.attempt, said.goes_back) == (asked_for.attempt, False)
        assert {nodes[device] for device in grant.devices} == {said.node} != {"n3"}
        assert len(grant.devices) == asked_for.gpus
    users, shares, work = Counter[str](), Counter[str](), Counter[str]()
    for lease in after.leases:
        users[lease.user] += len(lease.devices)
        shares[lease.project] += len(lease.devices)
        work[lease.project] += round(len(lease.devices) * ((lease.ends - lease.starts) / HOUR))
    if decided.grants:
        assert max(users.values()) <= 3
        assert shares["vision"] <= 4
        assert shares["speech"] <= 3
        assert work["speech"] <= BUDGET
    for taken in decided.taken:
        lease = next(each for each in world.leases if each.ticket == taken.ticket)
        assert NINE <= taken.ends <= lease.ends
