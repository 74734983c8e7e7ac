"""Devices kept for a project ahead of time, as owners, admins and those who wait meet them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
import pytest
from labpool.api_models import ReservationAsked, ReservationView, TicketView
from labpool.client import PoolClient, PoolRefused, SyncPoolClient
from labpool.domain.reservations import UNUSED_AFTER, Reservation

from tests.real_hub import wait_until
from tests.service.lab import Lab
from tests.service.running_pool import POOL_YAML
from tests.service.test_api import ACCESS, READ, WRITE

NewUser = Callable[[], str]
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SPEECH = """
  speech:
    title: Speech group
    members: {{users: [{member}]}}
    owners: {{users: [{owner}]}}
    borrow: {{demo-gpu: 3}}
    profiles: [cpu, gpu-1, gpu-4]
queue:"""


@dataclass
class Speech:
    """A project without GPUs of its own beside vision, which has all four; its owner, a member, and an admin."""

    lab: Lab
    owner: str
    member: str

    def token(self, user: str) -> str:
        return self.lab.hub.token_for(user, [ACCESS, READ, WRITE]) if user != "admin" else self.lab.hub.admin_token

    def call(self, method: str, user: str, path: str = "", json: object = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        url = f"{self.lab.pool.url}/api/v1/reservations{path}"
        return httpx.request(method, url, json=json, headers=headers, timeout=30, trust_env=False)

    def asked(self, after: timedelta = HOUR, **changed: object) -> dict[str, object]:
        """Two GPUs for three hours, an hour from now."""
        start = (self.lab.pool.clock() + after).replace(tzinfo=None).isoformat()
        wanted = {"project": "speech", "flavour": "demo-gpu", "devices": 2, "start": start, "hours": 3}
        return wanted | {"timezone": "UTC"} | changed

    def reserve(self, user: str, after: timedelta = HOUR, **changed: object) -> httpx.Response:
        return self.call("POST", user, json=self.asked(after, **changed))

    def reserved(self, user: str, after: timedelta = HOUR, **changed: object) -> ReservationView:
        answer = self.reserve(user, after, **changed)
        assert answer.status_code == 201, answer.text
        return ReservationView.model_validate_json(answer.content)

    def seen_by(self, user: str) -> list[str]:
        return [each["id"] for each in self.call("GET", user).json()]

    def ask(self, user: str, profile: str = "gpu-1", hours: float = 1) -> TicketView:
        """Ask as one of speech."""
        asked = {"user": user, "project": "speech", "profile": profile, "hours": hours}
        ticket = self.lab.pool.as_spawner("POST", "/spawns", asked).json()["ticket"]
        return self.lab.pool.ticket(ticket)

    def planned(self) -> tuple[Reservation, ...]:
        desk = self.lab.pool.parts.desk
        return self.lab.pool.call(desk.view(lambda view: desk.world(view).reservations))

    def audited(self) -> list[tuple[str, str]]:
        trail = self.lab.pool.call(self.lab.pool.parts.desk.view(lambda view: view.audit_trail()))
        return [(entry.actor, entry.event) for entry in trail if entry.event.startswith("reserv")]


@pytest.fixture
def speech(lab: Lab, new_user: NewUser) -> Iterator[Speech]:
    found = Speech(lab, new_user(), new_user())
    path = lab.pool.folder / "pool.yaml"
    path.write_text(POOL_YAML.replace("\nqueue:", SPEECH.format(owner=found.owner, member=found.member)))
    lab.pool.call(lab.pool.parts.reconciler.look())
    yield found
    for reservation in found.seen_by("admin"):
        assert found.call("DELETE", "admin", f"/{reservation}").status_code == 204
    path.write_text(POOL_YAML)
    lab.pool.call(lab.pool.parts.reconciler.look())


def of_vision(lab: Lab, user: str, profile: str = "gpu-4", hours: float = 2) -> TicketView:
    return lab.pool.ticket(lab.pool.ask(user, profile, hours=hours).json()["ticket"])


def test_owner_reserves_and_others_run_only_until_then(lab: Lab, speech: Speech, new_user: NewUser):
    made = speech.reserved(speech.owner, title="Course")
    (time,) = made.occurrences
    assert (time.end - time.start, time.devices, made.project_title) == (3 * HOUR, 2, "Speech group")
    assert time.id.startswith(f"{made.id}@")
    waits = of_vision(lab, new_user())
    assert waits.wait is not None
    assert waits.wait.reason == "kept_for_others"
    assert "Speech group" in waits.wait.message
    assert waits.starts_by == time.end + MINUTE
    assert [(offer.profile, offer.hours >= 0.5) for offer in waits.sooner] == [("gpu-4", True), ("gpu-1", True)]
    assert of_vision(lab, new_user(), hours=0.5).state == "granted"
    assert (speech.owner, "reserved") in speech.audited()


def test_within_its_time_the_project_starts_at_once(lab: Lab, speech: Speech, new_user: NewUser):
    speech.reserved(speech.owner, after=MINUTE)
    of_vision(lab, new_user(), "gpu-1", hours=8)
    lab.pool.pass_time(2 * MINUTE)
    assert speech.ask(speech.member).state == "granted"


def test_a_request_that_only_a_reservation_can_meet_gets_a_ticket(lab: Lab, speech: Speech):
    asked = {"user": speech.member, "project": "speech", "profile": "gpu-4", "hours": 1}
    assert lab.pool.as_spawner("POST", "/spawns", asked).json()["reason"] == "over_project_limit"
    (time,) = speech.reserved("admin", devices=4).occurrences
    assert speech.ask(speech.member, "gpu-4").starts_by == time.start


def test_what_does_harm_is_a_question_to_admins_and_a_refusal_to_owners(lab: Lab, speech: Speech, new_user: NewUser):
    of_vision(lab, new_user(), hours=2)
    waits = of_vision(lab, new_user(), hours=2)
    assert waits.starts_by is not None
    owners = speech.reserve(speech.owner)
    assert (owners.status_code, owners.json()["reason"]) == (409, "does_harm")
    assert owners.json()["detail"] == "1 promise would break and 2 GPUs would still be in use."
    assert "ask an admin" in owners.json()["remedy"]
    assert "confirm" not in owners.json()
    numbers = {"broken": 1, "missing": 2}
    assert speech.reserve(speech.owner, confirm=numbers).status_code == 409
    asked = speech.reserve("admin")
    assert (asked.status_code, asked.json()["confirm"]) == (409, numbers)
    assert '{"broken":1,"missing":2}' in asked.json()["remedy"]
    for fewer in ({"broken": 0, "missing": 2}, {"broken": 1, "missing": 1}):
        assert speech.reserve("admin", confirm=fewer).status_code == 409
    assert speech.seen_by("admin") == []
    (time,) = speech.reserved("admin", confirm=numbers).occurrences
    told = lab.pool.ticket(waits.id)
    assert told.notice is not None
    assert (told.notice.kind, told.planned_start) == ("promise_broken", time.end + MINUTE)
    assert "promise_broken" in lab.pool.trail(waits.id)


def test_all_times_of_a_repeated_one_count_together(lab: Lab, speech: Speech):
    made = speech.reserved("admin", repeat="FREQ=DAILY;COUNT=20", hours=20)
    assert (len(made.occurrences), made.repeat) == (20, "FREQ=DAILY;COUNT=20")
    assert made.until == made.occurrences[-1].end
    assert [each.id for each in speech.planned()] == [each.id for each in made.occurrences]
    more = speech.reserve("admin", repeat="FREQ=WEEKLY;COUNT=3", devices=3)
    assert (more.status_code, more.json()["confirm"]) == (409, {"broken": 0, "missing": 1})


def test_planner_is_shown_the_same_ones_until_something_changes(lab: Lab, speech: Speech, new_user: NewUser):
    speech.reserved(speech.owner, repeat="FREQ=WEEKLY")
    first = speech.planned()
    assert len(first) == 13
    of_vision(lab, new_user(), "gpu-1")
    lab.pool.call(lab.pool.parts.reconciler.look())
    assert speech.planned() is first
    lab.pool.pass_time(4 * HOUR + 2 * MINUTE)
    wait_until(lambda: speech.planned()[0] == first[1], "the first one to be over")
    (listed,) = (each for each in speech.call("GET", speech.owner).json())
    assert listed["occurrences"][0]["id"] == first[1].id


def test_what_nobody_uses_is_given_back_after_a_quarter_of_an_hour(lab: Lab, speech: Speech, new_user: NewUser):
    made = speech.reserved(speech.owner, after=MINUTE)
    waits = of_vision(lab, new_user(), hours=1)
    lab.pool.pass_time(5 * MINUTE)
    used = speech.ask(speech.member, hours=2)
    assert used.state == "granted"
    wait_until(lambda: lab.pool.parts.desk.looks_at == made.occurrences[0].start + UNUSED_AFTER, "the time to look")
    assert speech.planned()[0].devices == 2
    lab.pool.pass_time(12 * MINUTE)
    wait_until(lambda: speech.planned()[0].devices == 1, "what is unused given back")
    wait_until(lambda: ("pool", "reservation_released") in speech.audited(), "its row in the audit trail")
    assert speech.call("GET", speech.owner).json()[0]["occurrences"][0]["devices"] == 1
    lab.pool.call(lab.pool.parts.reconciler.give_back(waits_for(lab, used), speech.member))
    lab.until(used, "ended", "stopped")
    assert speech.planned()[0].devices == 1  # it may start again within its time
    assert lab.pool.ticket(waits.id).state == "queued"


def waits_for(lab: Lab, ticket: TicketView) -> object:
    found = lab.pool.call(lab.pool.parts.desk.find(ticket.id))
    assert found is not None
    return found


def test_who_waited_for_what_is_given_back_starts(lab: Lab, speech: Speech, new_user: NewUser):
    speech.reserved(speech.owner, after=MINUTE)
    waits = of_vision(lab, new_user())
    lab.pool.pass_time(17 * MINUTE)
    lab.until(waits, "granted")
    assert speech.planned() == ()


def test_reservations_outlive_the_pool_and_what_is_unused_is_found_out_again(lab: Lab, speech: Speech):
    speech.reserved(speech.owner, after=MINUTE)
    lab.pool.pass_time(5 * MINUTE)
    speech.ask(speech.member, hours=2)
    lab.until_ready(speech.member)
    lab.pool.pass_time(12 * MINUTE)
    wait_until(lambda: [each.devices for each in speech.planned()] == [1], "what is unused given back")
    lab.pool.stop()
    lab.pool.start()
    wait_until(lambda: [each.devices for each in speech.planned()] == [1], "the same after a restart")


def test_cancelling_lets_others_in_and_is_audited(lab: Lab, speech: Speech, new_user: NewUser):
    made = speech.reserved(speech.owner)
    waits = of_vision(lab, new_user())
    assert speech.call("DELETE", speech.member, f"/{made.id}").json()["reason"] == "not_an_owner"
    assert speech.call("DELETE", speech.owner, f"/{made.id}").status_code == 204
    assert lab.pool.ticket(waits.id).state == "granted"
    assert speech.audited()[-1] == (speech.owner, "reservation_cancelled")
    assert speech.call("DELETE", "admin", f"/{made.id}").json()["reason"] == "no_such_reservation"


def test_only_owners_and_admins_reserve_and_only_admins_close_a_machine(lab: Lab, speech: Speech, new_user: NewUser):
    maintenance = {"project": None, "flavour": "", "devices": 0, "node": "demo"}
    for user, asked in (
        (speech.member, {}),
        (new_user(), {}),
        (speech.owner, {"project": "vision"}),
        (speech.owner, {"project": "nobody"}),
        (speech.owner, maintenance),
    ):
        refused = speech.reserve(user, **asked)
        assert (refused.status_code, refused.json()["reason"]) == (403, "not_an_owner")
    mine, closed = speech.reserved(speech.owner), speech.reserved("admin", 9 * HOUR, **maintenance)
    assert (closed.project, closed.flavour, closed.may_cancel) == (None, "", True)
    assert speech.seen_by(speech.member) == speech.seen_by("admin") == [mine.id, closed.id]
    stranger = new_user()
    assert speech.seen_by(stranger) == [closed.id]
    assert not speech.call("GET", stranger).json()[0]["may_cancel"]
    assert speech.call("DELETE", speech.owner, f"/{closed.id}").status_code == 403
    reader = lab.hub.token_for(speech.owner, [ACCESS, READ])
    with SyncPoolClient(lab.pool.url, reader) as client, pytest.raises(PoolRefused, match=WRITE):
        client.cancel_reservation(mine.id)


@pytest.mark.parametrize(
    ("changed", "reason", "said"),
    [
        ({"timezone": "Mars/Olympus"}, "not_a_time", "There is no time zone"),
        ({"repeat": "FREQ=SECONDLY"}, "not_a_time", "FREQ=SECONDLY"),
        ({"repeat": "FREQ=DAILY", "hours": 30}, "not_a_time", "overlap"),
        ({"start": "2020-01-01T09:00"}, "not_a_time", "from now on"),
        ({"start": "9999-12-31T23:00"}, "not_a_time", "clock"),
        ({"start": "2027-01-01T09:00+01:00"}, "invalid_request", "start"),
        ({"devices": 5}, "not_reservable", "There are 4 GPUs of demo-gpu in the pool"),
        ({"devices": 0}, "not_reservable", "can't be reserved"),
        ({"node": "moon"}, "not_reservable", "moon"),
        ({"project": "nobody"}, "not_reservable", "There is no project nobody"),
        ({"project": None}, "not_reservable", "closes a whole machine"),
        ({"project": None, "flavour": "", "devices": 0}, "not_reservable", "name the node"),
        ({"hours": -1}, "invalid_request", "hours"),
    ],
)
def test_what_can_not_be_is_refused_with_what_to_do(speech: Speech, changed: dict[str, object], reason: str, said: str):
    answer = speech.reserve("admin", **changed)
    problem = answer.json()
    assert (answer.status_code, problem["reason"]) == (422, reason)
    assert said in problem["detail"]
    assert problem["remedy"].endswith(".") and answer.headers["content-type"] == "application/problem+json"


def test_what_would_be_over_already_is_refused(speech: Speech):
    answer = speech.reserve("admin", -timedelta(minutes=10), hours=0.1)
    assert (answer.status_code, answer.json()["detail"]) == (422, "It would be over already.")


def test_clients_reserve_list_and_cancel(lab: Lab, speech: Speech, new_user: NewUser):
    asked = ReservationAsked.model_validate(speech.asked(repeat="FREQ=DAILY;COUNT=2"))

    async def in_async_code() -> list[datetime]:
        async with PoolClient(lab.pool.url, speech.token(speech.owner)) as client:
            made = await client.reserve(asked)
            (found,) = await client.reservations()
            assert found == made
            await client.cancel_reservation(made.id)
            return [each.start for each in made.occurrences]

    first, second = asyncio.run(in_async_code())
    assert second - first == timedelta(days=1)
    of_vision(lab, new_user())
    with SyncPoolClient(lab.pool.url, speech.token("admin")) as client:
        assert client.reservations() == []
        with pytest.raises(PoolRefused, match="2 GPUs would still be in use") as caught:
            client.reserve(asked)
        made = client.reserve(asked.model_copy(update={"confirm": caught.value.problem.confirm}))
        client.cancel_reservation(made.id)
