"""The workstation engine over the real nvidia-ml-py and a stand-in for the driver's library (fake_nvml.c)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from labpool.settings import Place, PoolFile

from tests.engines.conftest import ADA, BERT, MakeEngine, Servers, lease_of
from tests.engines.fake_driver import DRIVER_NOT_LOADED, GPU_IS_LOST, NO_PERMISSION, UNKNOWN, FakeCard, FakeDriver

pytestmark = pytest.mark.compiler


async def test_cards_become_devices_by_uuid_with_the_flavour_their_name_fits(
    driver: FakeDriver, make_engine: MakeEngine
):
    inventory = await make_engine().inventory()
    assert [(d.id, d.flavour, d.index, d.memory_gib, d.product) for d in inventory.devices] == [
        ("GPU-one", "a100", 0, 80.0, "NVIDIA A100-SXM4-80GB"),
        ("GPU-two", "a100", 1, 80.0, "NVIDIA A100-SXM4-80GB"),
    ]
    assert not inventory.simulated
    assert not inventory.withheld
    assert {d.node for d in inventory.devices} == {node.name for node in inventory.nodes}
    assert inventory.nodes[0].cpu >= 1 and inventory.nodes[0].memory_gib > 0.1


async def test_card_that_no_flavour_names_gets_one_from_its_name(driver: FakeDriver, make_engine: MakeEngine):
    driver.change(1, name="NVIDIA GeForce RTX 3060 (rev. 2)", gib=0)
    inventory = await make_engine().inventory()
    assert [(d.flavour, d.memory_gib) for d in inventory.devices] == [
        ("a100", 80.0),
        ("nvidia-geforce-rtx-3060-rev-2", 0.0),
    ]


async def test_card_split_into_slices_is_left_out(driver: FakeDriver, make_engine: MakeEngine):
    driver.change(0, mig=1)
    driver.change(1, mig=0)
    assert [d.id for d in (await make_engine().inventory()).devices] == ["GPU-two"]


async def test_card_used_by_a_process_of_no_server_is_withheld(
    driver: FakeDriver, make_engine: MakeEngine, servers: Servers
):
    process = servers.start(None)
    driver.change(0, pids=(process.pid,))
    inventory = await make_engine().inventory([])
    (device, reason), *others = inventory.withheld
    assert (device, others) == ("GPU-one", [])
    assert f"sh (process {process.pid} of " in reason
    assert "belongs to no server of the pool" in reason
    assert len(inventory.devices) == 2


async def test_card_used_by_its_holder_is_not_withheld(driver: FakeDriver, make_engine: MakeEngine, servers: Servers):
    driver.change(0, pids=(servers.start(ADA).pid,))
    engine, leases = make_engine(), [lease_of(ADA, "GPU-one")]
    assert not (await engine.inventory(leases)).withheld
    assert not (await engine.inventory()).withheld
    assert not await engine.trespassers(leases)


async def test_card_still_used_after_the_lease_is_withheld(
    driver: FakeDriver, make_engine: MakeEngine, servers: Servers
):
    driver.change(0, pids=(servers.start(ADA).pid,))
    ((device, reason),) = (await make_engine().inventory([])).withheld
    assert device == "GPU-one"
    assert "holds no lease of this GPU" in reason


async def test_process_on_a_card_leased_to_somebody_else_is_told(
    driver: FakeDriver, make_engine: MakeEngine, servers: Servers
):
    ada, stranger = servers.start(ADA), servers.start(None)
    driver.change(0, pids=(ada.pid,))
    driver.change(1, pids=(ada.pid, stranger.pid))
    told = await make_engine().trespassers([lease_of(ADA, "GPU-one"), lease_of(BERT, "GPU-two")])
    assert [(t.device, t.pid, t.program, t.ticket, t.holder) for t in sorted(told, key=lambda t: str(t.ticket))] == [
        ("GPU-two", stranger.pid, "sh", None, BERT),
        ("GPU-two", ada.pid, "sh", ADA, BERT),
    ]
    assert all(t.owner for t in told)


async def test_process_that_cleared_its_environment_still_counts_as_its_servers(
    driver: FakeDriver, make_engine: MakeEngine, servers: Servers
):
    server = servers.start(ADA, "env -i sh -c 'echo ready; echo $$; sleep 600; :'; :")
    assert server.stdout is not None
    child = int(server.stdout.readline())
    assert child != server.pid
    driver.change(0, pids=(child,))
    assert not await make_engine().trespassers([lease_of(ADA, "GPU-one")])


async def test_unknown_process_withholds_a_free_card_but_accuses_nobody_on_a_leased_one(
    driver: FakeDriver, make_engine: MakeEngine
):
    beyond = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    driver.change(0, pids=(beyond,))
    engine = make_engine()
    ((device, reason),) = (await engine.inventory([])).withheld
    assert (device, "may run in a container" in reason) == ("GPU-one", True)
    assert not await engine.trespassers([lease_of(ADA, "GPU-one")])
    assert [t.pid for t in await engine.trespassers([])] == [beyond]


async def test_card_whose_processes_cannot_be_listed_is_withheld(driver: FakeDriver, make_engine: MakeEngine):
    driver.change(1, processes_code=NO_PERMISSION)
    assert (await make_engine().inventory()).withheld == (
        ("GPU-two", "The driver doesn't list its processes: Insufficient Permissions."),
    )


async def test_lost_card_stays_in_the_inventory_and_is_withheld(driver: FakeDriver, make_engine: MakeEngine):
    engine = make_engine()
    await engine.inventory()
    driver.change(0, code=GPU_IS_LOST)
    inventory = await engine.inventory()
    assert [d.id for d in inventory.devices] == ["GPU-one", "GPU-two"]
    assert inventory.withheld == (("GPU-one", "The NVIDIA driver no longer answers for this card."),)
    assert engine.trouble == "The NVIDIA driver lost GPU-one"
    driver.change(0, code=0)
    assert not (await engine.inventory()).withheld
    assert engine.trouble is None


@pytest.mark.parametrize("failure", [{"down": UNKNOWN}, {"down": DRIVER_NOT_LOADED}, {"init": UNKNOWN, "down": 1}])
async def test_dead_driver_leaves_the_last_inventory_and_says_so(
    driver: FakeDriver, make_engine: MakeEngine, failure: dict[str, int]
):
    engine = make_engine()
    before = await engine.inventory()
    driver.fail(**failure)
    assert await engine.inventory() == before
    assert "The NVIDIA driver doesn't answer" in (engine.trouble or "")
    driver.work()
    assert await engine.inventory() == before
    assert engine.trouble is None


async def test_devices_are_withheld_once_the_driver_was_silent_for_long(driver: FakeDriver, make_engine: MakeEngine):
    engine = make_engine(silence_seconds=0)
    await engine.inventory()
    driver.fail(down=UNKNOWN)
    assert dict((await engine.inventory()).withheld) == {
        "GPU-one": "The NVIDIA driver doesn't answer.",
        "GPU-two": "The NVIDIA driver doesn't answer.",
    }


async def test_hanging_driver_is_not_waited_for(driver: FakeDriver, make_engine: MakeEngine):
    engine = make_engine(patience_seconds=1)
    before = await engine.inventory()
    driver.fail(hangs=True)
    assert await engine.inventory() == before
    assert "no answer for 1 s" in (engine.trouble or "")
    driver.work()
    assert await engine.inventory() == before
    assert engine.trouble is None


@pytest.mark.parametrize("failure", [{"init": DRIVER_NOT_LOADED}, {"init": UNKNOWN}, {"cards": []}])
async def test_restart_without_driver_keeps_real_devices_and_grants_none(
    driver: FakeDriver, make_engine: MakeEngine, failure: dict[str, object]
):
    await make_engine().inventory()
    for name, value in failure.items():
        setattr(driver, name, value)
    driver.write()
    inventory = await make_engine().inventory()
    assert [(d.id, d.flavour) for d in inventory.devices] == [("GPU-one", "a100"), ("GPU-two", "a100")]
    assert [device for device, _ in inventory.withheld] == ["GPU-one", "GPU-two"]
    assert not inventory.simulated


async def test_driver_that_comes_up_later_does_not_replace_simulated_devices(
    driver: FakeDriver, make_engine: MakeEngine
):
    driver.fail(init=DRIVER_NOT_LOADED)
    engine = make_engine()
    assert (await engine.inventory()).simulated
    driver.work()
    assert (await engine.inventory()).simulated
    assert not (await make_engine().inventory()).simulated


async def test_driver_that_comes_up_later_is_taken_where_nothing_is_simulated(
    driver: FakeDriver, pool_file: PoolFile, make_engine: MakeEngine
):
    engine = make_engine(replace(pool_file, simulated_nodes=(), simulated_devices=()))
    driver.fail(init=DRIVER_NOT_LOADED)
    assert not (await engine.inventory()).devices
    assert "none is loaded" in (engine.trouble or "")
    driver.work()
    assert len((await engine.inventory()).devices) == 2


async def test_spoilt_memory_of_cards_is_passed_over(driver: FakeDriver, make_engine: MakeEngine, place: Place):
    (place.root / "cards.json").write_text("[{]")
    driver.fail(init=DRIVER_NOT_LOADED)
    assert (await make_engine().inventory()).simulated


def test_check_shows_the_machines_cards(driver: FakeDriver, driver_library: Path, tmp_path: Path, pool_file: PoolFile):
    driver.cards.append(FakeCard("GPU-three", name="NVIDIA H200", gib=139))
    driver.write()
    environ = {**os.environ, "LD_LIBRARY_PATH": str(driver_library.parent), "FAKE_NVML_STATE": str(driver.state)}
    done = subprocess.run(
        [sys.executable, "-c", "from labpool.cli import main; main()", "check", "--json", pool_file.path.parent],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert [(f["name"], f["devices"], f["named"]) for f in report["flavours"]] == [
        ("demo-gpu", 0, True),
        ("a100", 2, True),
        ("nvidia-h200", 1, False),
    ]
    assert not report["simulated"]
    assert report["projects"][0]["nominal"] == {"a100": 2, "nvidia-h200": 1}
