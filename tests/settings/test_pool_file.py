from __future__ import annotations

import hashlib
from datetime import timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from labpool.domain.budgets import Budget, Per
from labpool.domain.catalogue import Flavour, Profile, UserLimit
from labpool.settings import load_pool_file

from tests.settings.conftest import DEMO, SMALL, Load


def test_demo_file_is_the_pool_of_the_story():
    pool = load_pool_file(DEMO)
    assert pool.engine == "workstation"
    assert pool.warnings == ()
    assert pool.catalogue.flavours == {"demo-gpu": Flavour("demo-gpu", "Demo GPU 16 GB", 16, 1.0)}
    assert pool.catalogue.profiles["gpu-2"] == Profile(
        "gpu-2", "Two GPUs", "demo-gpu", 2, 4, 8, timedelta(hours=8), "mirrored", longest_in_all=timedelta(hours=24)
    )
    assert pool.catalogue.profiles["cpu"].flavour is None
    assert list(pool.catalogue.projects) == ["vision", "speech"]
    vision = pool.catalogue.projects["vision"]
    assert (vision.budget, vision.never_lent("demo-gpu")) == (Budget(200, Per.MONTH, timezone.utc), 0)
    assert pool.catalogue.budgets().keys() == {"vision"}
    assert [d.id for d in pool.simulated_devices] == [f"sim:demo:demo-gpu:{index}" for index in range(4)]
    assert all(d.simulated and d.memory_gib == 16 for d in pool.simulated_devices)
    assert pool.sha256 == hashlib.sha256(DEMO.read_bytes()).hexdigest()


def test_members_and_owners_work_in_their_projects():
    catalogue = load_pool_file(DEMO).catalogue
    names = {
        person: [project.name for project in catalogue.projects_of(person, frozenset(groups))]
        for person, groups in {"ada": ["vision"], "bert": ["speech"], "olga": ["vision-owners"], "eve": []}.items()
    }
    assert names == {"ada": ["vision"], "bert": ["speech"], "olga": ["vision"], "eve": []}


def test_what_is_left_out_has_the_documented_default(load: Load):
    pool = load(SMALL)
    assert pool.reconcile_seconds == 10
    assert pool.catalogue.limits.everybody == UserLimit(gpus=4, servers=3, queued=8)
    queue = pool.catalogue.queue
    assert (queue.claim, queue.expiry) == (timedelta(minutes=30), timedelta(hours=24))
    assert queue.notices == (timedelta(minutes=15), timedelta(minutes=5))
    assert [pool.catalogue.profiles[name].preset for name in ("cpu", "one")] == ["cpu", "single"]
    assert pool.catalogue.profiles["one"].longest_in_all is None  # as long as it may be asked for


def test_project_lends_all_that_it_has_unless_it_says_how_many(load: Load):
    def kept(lend: str) -> int:
        project = load(SMALL.replace("{gpu: 2}", "{gpu: 2}" + lend)).catalogue.projects["vision"]
        return project.never_lent("gpu")

    assert [kept(""), *(kept(f"\n    lend: {{gpu: {number}}}") for number in (0, 1, 2))] == [0, 2, 1, 0]


@pytest.mark.parametrize(
    ("zone", "written", "budget"),
    [
        ("", "{gpu_hours: 12.5}", Budget(12.5, Per.MONTH, timezone.utc)),
        ("timezone: UTC\n", "{gpu_hours: 12, per: week}", Budget(12, Per.WEEK, timezone.utc)),
        ("timezone: Europe/Berlin\n", "{gpu_hours: 9, per: day}", Budget(9, Per.DAY, ZoneInfo("Europe/Berlin"))),
    ],
)
def test_budget_begins_anew_by_the_calendar_of_the_files_time_zone(load: Load, zone: str, written: str, budget: Budget):
    text = zone + SMALL.replace("{gpu: 2}", "{gpu: 2}\n    budget: " + written)
    found = load(text).catalogue
    assert found.projects["vision"].budget == budget
    assert load(text).catalogue == found  # read again, nothing has changed


def test_profile_with_several_gpus_is_mirrored_by_default(load: Load):
    assert load(SMALL.replace("gpus: 1", "gpus: 2")).catalogue.profiles["one"].preset == "mirrored"


def test_times_are_decimals_and_notices_come_longest_first(load: Load):
    pool = load(SMALL + "queue: {claim_minutes: 0.01, shortest_minutes: .05, notice_minutes: [5, 0.5, 15, 5]}\n")
    assert pool.catalogue.queue.claim == timedelta(seconds=0.6)
    assert pool.catalogue.queue.shortest == timedelta(seconds=3)
    assert [notice.total_seconds() for notice in pool.catalogue.queue.notices] == [900, 300, 30]


def test_limit_of_a_group_or_user_leaves_the_rest_at_the_default(load: Load):
    limits = load(
        SMALL + "limits: {user: {gpus: 3, queued: 2}, groups: {students: {gpus: 0}}, users: {ada: {servers: 9}}}\n"
    ).catalogue.limits
    assert limits.of("bert", frozenset({"students"})) == UserLimit(gpus=0, servers=3, queued=2)
    assert limits.of("ada", frozenset({"students"})) == UserLimit(gpus=3, servers=9, queued=2)


def test_words_that_older_yaml_takes_for_something_else_are_text(load: Load):
    pool = load(SMALL.replace("title: Vision", "title: 12:30").replace("[vision]", "[no, on, 0x1f, 2020-01-01]"))
    assert pool.catalogue.projects["vision"].title == "12:30"
    assert pool.catalogue.projects["vision"].groups == {"no", "on", "0x1f", "2020-01-01"}


def test_byte_order_mark_and_windows_line_ends_are_read(load: Load):
    assert load(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode()).catalogue == load(SMALL).catalogue


def test_what_will_surprise_somebody_is_a_warning(load: Load):
    text = SMALL.replace("gpus: 1", "gpus: 5, preset: single").replace("{groups: [vision]}", "{}")
    assert [str(warning) for warning in load(text).warnings] == [
        "pool.yaml:6: profiles.one.gpus: 5 GPUs are more than anybody may hold. "
        "Raise limits.user.gpus or the limit of a group; until then all are refused.",
        'pool.yaml:6: profiles.one.preset: preset "single" leaves 4 GPUs unused. '
        "Write preset: mirrored, or lower gpus.",
        "pool.yaml:10: projects.vision.members: nobody is a member. Add users or groups, or everyone: true.",
        'pool.yaml:12: projects.vision.profiles[1]: "one" takes 5 of gpu, and the project may hold 2 at once. '
        "Raise nominal or borrow, or remove the profile; until then all are refused.",
    ]
