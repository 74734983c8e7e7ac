"""What is refused at once, with the reason and what to do instead; everything else may wait."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.catalogue import Limits, Project, UserLimit
from labpool.domain.reasons import Refusal, RefusalReason
from labpool.domain.requests import Admitted, Request, check_request
from labpool.domain.tickets import State

from tests.domain.lab import HOUR, MINUTE, catalogue, inventory, ticket

FOUR = inventory({"n1": 2, "n2": 2})


def ask(project: str = "vision", profile: str = "gpu-1", hours: float = 2, name: str = "train") -> Request:
    return Request("ada", frozenset({"researchers"}), name, project, profile, timedelta(hours=hours))


def refusal(request: Request, **there: object) -> Refusal:
    values = {"catalogue": catalogue(), "inventory": FOUR, "tickets": ()} | there
    answer = check_request(request, **values)  # type: ignore[arg-type]
    assert isinstance(answer, Refusal)
    return answer


def test_a_request_that_can_be_met_is_admitted_with_what_it_needs():
    answer = check_request(ask(profile="gpu-2"), catalogue(), FOUR, ())
    assert isinstance(answer, Admitted)
    assert (answer.project.name, answer.profile.name, answer.flavour, answer.gpus) == ("vision", "gpu-2", "gpu", 2)


def test_a_request_that_only_has_to_wait_is_admitted():
    others = [ticket(name, user=name) for name in "abcdefgh"]
    assert isinstance(check_request(ask(), catalogue(), FOUR, others), Admitted)


def test_withheld_devices_count_because_they_come_back():
    withheld = inventory({"n1": 2}, withheld=["n1-0", "n1-1"])
    assert isinstance(check_request(ask(profile="gpu-2"), catalogue(), withheld, ()), Admitted)


def test_an_unknown_project_is_refused_and_the_own_ones_are_named():
    answer = refusal(ask(project="visoin"))
    assert answer.reason is RefusalReason.UNKNOWN_PROJECT
    assert "visoin" in answer.message
    assert "vision" in answer.remedy


def test_a_project_of_others_is_refused_and_says_whom_to_ask():
    closed = Project("speech", "Speech group", users=frozenset({"lin"}), profiles=("gpu-1",))
    rules = replace(catalogue(), projects=catalogue().projects | {"speech": closed})
    answer = refusal(ask(project="speech"), catalogue=rules)
    assert answer.reason is RefusalReason.NOT_A_MEMBER
    assert "owner of Speech group" in answer.remedy


def test_somebody_without_any_project_is_told_to_ask_the_admins():
    closed = Project("speech", "Speech group", users=frozenset({"lin"}))
    answer = refusal(ask(project="speech"), catalogue=replace(catalogue(), projects={"speech": closed}))
    assert "ask the lab's admins" in answer.remedy


def test_an_unknown_profile_is_refused_and_the_projects_ones_are_named():
    answer = refusal(ask(profile="gpu-9"))
    assert answer.reason is RefusalReason.UNKNOWN_PROFILE
    assert "gpu-1" in answer.remedy


def test_a_profile_that_the_project_does_not_have_is_refused():
    small = replace(catalogue().projects["vision"], profiles=("gpu-1",))
    answer = refusal(ask(profile="gpu-2"), catalogue=replace(catalogue(), projects={"vision": small}))
    assert answer.reason is RefusalReason.PROFILE_NOT_IN_PROJECT


def test_asking_the_pool_for_a_cpu_server_is_the_callers_mistake():
    with pytest.raises(ValueError, match="needs no GPU"):
        check_request(ask(profile="cpu"), catalogue(), FOUR, ())


@pytest.mark.parametrize(
    ("hours", "reason", "said"),
    [(0.01, RefusalReason.TOO_SHORT, "36 s"), (8.5, RefusalReason.TOO_LONG, "8 h 30 min")],
)
def test_hours_outside_the_bounds_are_refused_with_the_bound(hours: float, reason: RefusalReason, said: str):
    answer = refusal(ask(hours=hours))
    assert answer.reason is reason
    assert said in answer.message


@pytest.mark.parametrize("duration", [5 * MINUTE, 8 * HOUR])
def test_hours_at_the_bounds_are_admitted(duration: timedelta):
    assert isinstance(check_request(replace(ask(), duration=duration), catalogue(), FOUR, ()), Admitted)


def test_more_than_the_users_limit_is_refused_and_names_the_limit():
    answer = refusal(ask(profile="gpu-3"), catalogue=catalogue(gpus=2))
    assert answer.reason is RefusalReason.OVER_USER_LIMIT
    assert "2 GPUs" in answer.message
    assert "2 GPUs or fewer" in answer.remedy


def test_more_than_the_project_may_ever_hold_is_refused():
    answer = refusal(ask(profile="gpu-3"), catalogue=catalogue({"vision": (1, 1)}))
    assert answer.reason is RefusalReason.OVER_PROJECT_LIMIT
    assert "Vision group may hold 2 at once" in answer.message


def test_more_than_there_are_is_refused():
    answer = refusal(ask(profile="gpu-2"), inventory=inventory({"n1": 1}))
    assert answer.reason is RefusalReason.OVER_FLAVOUR


def test_more_than_one_machine_holds_is_refused():
    answer = refusal(ask(profile="gpu-3"))
    assert answer.reason is RefusalReason.OVER_NODE
    assert "none has more than 2" in answer.message


def test_a_queue_full_of_own_tickets_is_refused_whoever_else_waits():
    waiting = [ticket(f"s{i}") for i in range(8)]
    others = [ticket(f"o{i}", user="lin") for i in range(8)]
    assert refusal(ask(), tickets=[*waiting, *others]).reason is RefusalReason.TOO_MANY_QUEUED
    assert isinstance(check_request(ask(), catalogue(), FOUR, [*waiting[1:], *others]), Admitted)


def test_running_servers_and_the_same_servers_ticket_do_not_count_as_waiting():
    running = [replace(ticket(f"s{i}"), state=State.RUNNING) for i in range(8)]
    waiting = [ticket(f"w{i}") for i in range(7)]
    assert isinstance(check_request(ask(name="w0"), catalogue(), FOUR, [*running, *waiting, ticket("w8")]), Admitted)


LIMIT = st.builds(UserLimit, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))


@given(LIMIT, st.dictionaries(st.sampled_from("abc"), LIMIT), st.frozensets(st.sampled_from("abcd")))
def test_of_several_groups_the_largest_cap_counts_and_each_cap_alone(
    everybody: UserLimit, groups: dict[str, UserLimit], mine: frozenset[str]
):
    limit = Limits(everybody, groups).of("ada", mine)
    counting = [groups[group] for group in mine if group in groups] or [everybody]
    assert limit.gpus == max(one.gpus for one in counting)
    assert limit.servers == max(one.servers for one in counting)
    assert limit.queued == max(one.queued for one in counting)


@given(LIMIT, LIMIT, LIMIT)
def test_a_personal_limit_beats_group_and_default(everybody: UserLimit, group: UserLimit, own: UserLimit):
    assert Limits(everybody, {"g": group}, {"ada": own}).of("ada", frozenset({"g"})) == own
