"""What does asking the pool cost a start? The hub's own local spawner against ours, and 200 people at once.

Two hubs run side by side with the same settings and the same trivial single-user server: one with JupyterHub's
SimpleLocalProcessSpawner, one with ours, whose every start asks the pool for a lease of a simulated GPU. Measured in
turns: the time from the POST to the answer that the server is ready, and the starts a second when all come at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.real_hub import wait_until
from tests.running_lab import ADMIN_TOKEN, RunningLab, running_lab

PAIRS, STARTS_OF_ONE, PEOPLE_AT_ONCE = 5, 50, 200  # the hub's back-off is random: few starts would measure chance
AIM_TIME, AIM_RATE = 1.15, 0.90
GPU = {"project": "everybody", "profile": "gpu", "hours": 1}

POOL_YAML = """
flavours: {demo-gpu: {title: Demo GPU}}
simulated:
  nodes:
    - {name: n1, cpu: 64, memory_gib: 64, devices: {demo-gpu: 64}}
    - {name: n2, cpu: 64, memory_gib: 64, devices: {demo-gpu: 64}}
    - {name: n3, cpu: 64, memory_gib: 64, devices: {demo-gpu: 64}}
    - {name: n4, cpu: 64, memory_gib: 64, devices: {demo-gpu: 64}}
profiles: {gpu: {title: One GPU, flavour: demo-gpu, gpus: 1, cpu: 1, memory_gib: 1, max_hours: 8}}
projects: {everybody: {title: Everybody, members: {everyone: true}, nominal: {demo-gpu: 256}, profiles: [gpu]}}
"""
SAME_FOR_BOTH = """
c.JupyterHub.concurrent_spawn_limit = 0
c.Authenticator.allow_all = True
c.Spawner.http_timeout = 120
c.Spawner.start_timeout = 120
c.SimpleLocalGPUSpawner.pool_timeout = 60  # so that a slow machine gives a slow answer instead of none
c.JupyterHub.tornado_settings = {**c.JupyterHub.tornado_settings, "slow_spawn_timeout": 120}
"""
STOCK = """
c.JupyterHub.spawner_class = "jupyterhub.spawner.SimpleLocalProcessSpawner"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
"""


def main() -> None:
    """Measure both questions and print one line for each."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--full", action="store_true", help="15 pairs instead of 5")
    pairs = 3 * PAIRS if arguments.parse_args().full else PAIRS
    with tempfile.TemporaryDirectory(prefix="labpool-bench-") as folder, ExitStack() as stack:
        stock, ours = (stack.enter_context(_lab(Path(folder), name)) for name in ("stock", "ours"))
        asyncio.run(_measure(stock, ours, pairs))


def _lab(folder: Path, name: str) -> AbstractContextManager[RunningLab]:
    extra = STOCK.format(folder=folder / name) if name == "stock" else ""
    return running_lab(folder / name, pool_yaml=POOL_YAML, hub_config=SAME_FOR_BOTH + extra)


async def _measure(stock: RunningLab, ours: RunningLab, pairs: int) -> None:
    people = [f"person-{number}" for number in range(PEOPLE_AT_ONCE)]
    for lab in (stock, ours):
        lab.api("POST", "/users", {"usernames": people}).raise_for_status()
        await _start_and_stop(lab, people[0])  # the first start of a hub imports what later ones find
    times: dict[str, list[float]] = {"stock": [], "ours": []}
    rates: dict[str, list[float]] = {"stock": [], "ours": []}
    for _ in range(pairs):
        for name, lab in (("stock", stock), ("ours", ours)):
            times[name] += [await _start_and_stop(lab, person) for person in people[:STARTS_OF_ONE]]
    for _ in range(pairs):
        for name, lab in (("stock", stock), ("ours", ours)):
            rates[name].append(await _starts_a_second(lab, people))
    _print("spawn: from POST to ready", "s", times, AIM_TIME, at_most=True)
    _print(f"spawn: starts a second, {PEOPLE_AT_ONCE} people at once", "1/s", rates, AIM_RATE, at_most=False)


async def _start_and_stop(lab: RunningLab, person: str) -> float:
    async with _hub(lab) as hub:
        seconds = await _start(hub, person)
        await _stop_all(lab, hub, [person])
    return seconds


async def _starts_a_second(lab: RunningLab, people: list[str]) -> float:
    async with _hub(lab) as hub:
        began = time.perf_counter()
        await asyncio.gather(*(_start(hub, person) for person in people))
        seconds = time.perf_counter() - began
        await _stop_all(lab, hub, people)
    return len(people) / seconds


async def _start(hub: httpx.AsyncClient, person: str) -> float:
    began = time.perf_counter()
    response = await hub.post(f"/users/{person}/server", json={"user_options": GPU})
    if response.status_code != httpx.codes.CREATED:
        raise RuntimeError(f"{person}'s server did not become ready: {response.status_code} {response.text}")
    return time.perf_counter() - began


async def _stop_all(lab: RunningLab, hub: httpx.AsyncClient, people: Iterable[str]) -> None:
    await asyncio.gather(*(hub.delete(f"/users/{person}/server") for person in people))
    await asyncio.to_thread(wait_until, lambda: not _active(lab), "the end of all servers", 120)


def _active(lab: RunningLab) -> list[object]:
    users: list[object] = lab.api("GET", "/users?state=active&limit=200").json()
    return users


def _hub(lab: RunningLab) -> httpx.AsyncClient:
    headers = {"Authorization": f"token {ADMIN_TOKEN}"}
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(
        base_url=lab.ports.hub_api_url, headers=headers, timeout=180, limits=limits, trust_env=False
    )


def _print(name: str, unit: str, measured: dict[str, list[float]], aim: float, *, at_most: bool) -> None:
    ours, baseline = statistics.median(measured["ours"]), statistics.median(measured["stock"])
    ratio = ours / baseline
    line = {
        "name": name,
        "unit": unit,
        "ours": round(ours, 4),
        "baseline": round(baseline, 4),
        "ratio": round(ratio, 3),
    }
    line |= {"aim": f"ratio {'<=' if at_most else '>='} {aim}", "met": ratio <= aim if at_most else ratio >= aim}
    line |= {"n": len(measured["ours"]), "spread": [round(min(measured["ours"]), 4), round(max(measured["ours"]), 4)]}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
