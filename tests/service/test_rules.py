from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from labpool.engines import Trespasser

from tests.real_hub import wait_until
from tests.service.running_pool import POOL_YAML, RunningPool

NewUser = Callable[[], str]


@pytest.fixture
def edit(pool: RunningPool) -> Iterator[Callable[[str, str], None]]:
    """Changes pool.yaml; it is as before afterwards."""
    path = pool.folder / "pool.yaml"

    def change(old: str, new: str) -> None:
        assert old in POOL_YAML
        path.write_text(POOL_YAML.replace(old, new))
        pool.call(pool.parts.reconciler.look())

    yield change
    path.write_text(POOL_YAML)
    pool.call(pool.parts.reconciler.look())


def test_changed_limit_counts_without_a_restart(pool: RunningPool, new_user: NewUser, edit: Callable[[str, str], None]):
    edit("user: {gpus: 4, ", "user: {gpus: 2, ")
    assert pool.ask(new_user(), "gpu-4").json()["reason"] == "over_user_limit"


def test_broken_pool_file_leaves_the_old_one_in_force(
    pool: RunningPool, new_user: NewUser, edit: Callable[[str, str], None]
):
    edit("limits: {user: {gpus: 4, ", "limits: {user: {gpus: many, ")
    assert pool.ask(new_user(), "gpu-4").json()["outcome"] == "lease"


def test_removed_profile_ends_its_tickets_and_lets_leases_run_out(
    pool: RunningPool, new_user: NewUser, edit: Callable[[str, str], None]
):
    holder, waiting = new_user(), new_user()
    held = pool.ask(holder, "gpu-4").json()["ticket"]
    queued = pool.ask(waiting, "gpu-1").json()["ticket"]
    edit("profiles: [cpu, gpu-1, gpu-4]", "profiles: [cpu, gpu-4]")
    assert pool.ticket(queued).end_reason == "profile_removed"
    line = next(line for line in POOL_YAML.splitlines() if line.strip().startswith("gpu-4:"))
    path = pool.folder / "pool.yaml"
    path.write_text(POOL_YAML.replace(line + "\n", "").replace("profiles: [cpu, gpu-1, gpu-4]", "profiles: [cpu]"))
    pool.call(pool.parts.reconciler.look())
    assert pool.ticket(held).state == "granted"
    again = pool.ask(holder, "gpu-4").json()
    assert (again["ticket"], again["preset"]) == (held, "mirrored")


def test_process_on_a_device_leased_to_somebody_else_is_shown_and_audited_once(pool: RunningPool, new_user: NewUser):
    lease = pool.ask(new_user()).json()
    device = lease["devices"][0]["id"]
    seen = Trespasser(device, 4711, "python", "mallory", None, lease["ticket"])

    async def trespassers(leases: object) -> tuple[Trespasser, ...]:
        return (seen,)

    pool.engine.trespassers = trespassers  # type: ignore[method-assign]  # there is no card to trespass on here
    for _ in range(3):
        pool.call(pool.parts.reconciler.look())
    words = "A program (python, process 4711 of mallory) uses this GPU beside its holder."
    assert [(view.device, view.reason) for view in pool.call(pool.parts.viewer.pool()).trespassed] == [(device, words)]
    held = pool.call(pool.parts.viewer.ticket(lease["ticket"])).lease
    assert held is not None
    assert held.trespassers == (words,)
    del pool.engine.trespassers  # type: ignore[method-assign]
    wait_until(lambda: "trespasser" in pool.trail(lease["ticket"]), "the audit row")
    assert pool.trail(lease["ticket"]).count("trespasser") == 1
