from __future__ import annotations

from dataclasses import replace

from labpool.api_models import PoolView

from tests.service.running_pool import RunningPool


def test_device_that_somebody_uses_without_a_lease_is_shown_and_not_leased(pool: RunningPool):
    free = pool.parts.desk.inventory
    used = free.devices[0].id
    pool.engine.inventory = _always(replace(free, withheld=((used, "python of ada runs on it without a lease"),)))  # type: ignore[method-assign]
    pool.call(pool.parts.reconciler.look())
    view: PoolView = pool.call(pool.parts.viewer.pool())
    answer = pool.ask("user-0", "gpu-4")
    del pool.engine.inventory  # type: ignore[method-assign]
    pool.call(pool.parts.reconciler.look())
    (withheld,) = view.withheld
    assert (withheld.device, withheld.reason) == (used, "python of ada runs on it without a lease")
    assert view.flavours[0].free == 3
    assert answer.status_code == 202


def _always(inventory: object) -> object:
    async def look(leases: object = None) -> object:
        return inventory

    return look
