"""`labpool doctor`: what is wrong with this place, and what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from json import dumps
from pathlib import Path

import httpx
import typer
from rich.console import Console

from labpool.api_models import PoolView
from labpool.cli.asking import Exit
from labpool.cli.looking import Json
from labpool.cli.pool_access import NoPool, PoolAddress, pool_address
from labpool.cli.tables import troubles_of
from labpool.cli.verdicts import Finding, Verdict
from labpool.client import PoolError
from labpool.settings import (
    InvalidPoolFile,
    InvalidSetting,
    Place,
    Ports,
    load_pool_file,
    pool_database,
    pool_file_path,
)
from labpool.settings.file_systems import network_file_system
from labpool.store import UnreadableStore, check_store, name_of

_SKEW = timedelta(seconds=5)
_GIB = 2**30


_ENGINES = {
    "workstation": "the GPUs of the pool's own machine; the pool decides who gets which",
    "kubernetes": "the GPUs of a cluster's nodes; the pool decides who gets which, without Kueue",
    "kueue": "the GPUs of a cluster's nodes; Kueue decides who gets which, within the pool's limits and budgets",
}


def doctor(as_json: Json = False) -> None:
    """Look at the data folder, database, pool.yaml, hub, pool, clock and devices, and say what helps.

    Exit code: 0 where all is well (warnings allowed), 1 where something failed.
    """
    found = list(findings())
    if as_json:
        typer.echo(dumps([asdict(each) for each in found], indent=2))
    else:
        _print(found)
    if any(each.verdict is Verdict.FAILED for each in found):
        raise typer.Exit(Exit.REFUSED)


def findings() -> Iterator[Finding]:
    """All that can be found out from here; on the machine of the pool that is more."""
    try:
        address = pool_address()
    except (NoPool, InvalidSetting) as error:
        yield Finding("address", Verdict.FAILED, str(error))
        return
    if address.place is not None:
        yield from _of_the_machine(address.place)
    yield from _of_the_pool(address)


def _of_the_machine(place: Place) -> Iterator[Finding]:
    yield _folder(place.root)
    yield _database(pool_database(os.environ, place))
    yield from _pool_file()
    yield _answers("hub", f"{Ports.read(os.environ).hub_api_url}/", "Start it with `make hub`; its log is log/hub.log.")


def _pool_file() -> Iterator[Finding]:
    try:
        pool_file = load_pool_file(pool_file_path(os.environ))
    except (InvalidPoolFile, InvalidSetting) as error:
        yield Finding("pool.yaml", Verdict.FAILED, str(error), "Correct it; `labpool check` says more.")
        return
    yield Finding("pool.yaml", Verdict.OK, f"{pool_file.path} is valid")
    if pool_file.engine in ("kubernetes", "kueue"):
        from labpool.cli.doctor_cluster import cluster_findings  # noqa: PLC0415 (loads a Kubernetes client)

        yield from cluster_findings(pool_file)


def _folder(root: Path) -> Finding:
    kind = network_file_system(root)
    if kind is not None:
        said = f"{root} lies on a network file system ({kind}), where SQLite can lose data"
        return Finding("data folder", Verdict.FAILED, said, "Set LABPOOL_DATA to a folder on a local disk.")
    free = shutil.disk_usage(root).free / _GIB
    said = f"{root} has {free:.1f} GiB free"
    if free < 1:
        return Finding("data folder", Verdict.WARNING, said, "Make room: a full disk stops the pool.")
    return Finding("data folder", Verdict.OK, said)


def _database(url: str) -> Finding:
    try:
        return Finding("database", Verdict.OK, f"{name_of(url)} is sound, schema {check_store(url)}")
    except UnreadableStore as error:
        return Finding("database", Verdict.FAILED, str(error), "A pool that never ran has none yet: `make hub`.")


def _of_the_pool(address: PoolAddress) -> Iterator[Finding]:
    health = _answers("pool", f"{address.url}/healthz", "Start it with `make hub`; its log is log/pool.log.")
    yield health
    if health.verdict is not Verdict.OK:
        return
    try:
        with address.client() as client:
            stands = client.pool()
    except PoolError as error:
        yield Finding(
            "token", Verdict.FAILED, str(error), "On the pool's machine restart the hub once; else a new token."
        )
        return
    yield Finding("token", Verdict.OK, "the pool knows it")
    yield Finding("engine", Verdict.OK, f"{stands.engine}: {_ENGINES.get(stands.engine, 'it decides who is next')}")
    yield _clock(stands)
    yield from _devices(stands)


def _clock(pool: PoolView) -> Finding:
    apart = abs(datetime.now(timezone.utc) - pool.now)
    said = f"the pool's and this machine's are {apart.total_seconds():.1f} s apart"
    if apart > _SKEW:
        return Finding("clock", Verdict.WARNING, said, "Let both follow a time server (NTP).")
    return Finding("clock", Verdict.OK, said)


def _devices(pool: PoolView) -> Iterator[Finding]:
    for trouble in troubles_of(pool):
        yield Finding("devices", Verdict.WARNING, trouble, "`labpool status` shows what is left.")
    total = sum(each.total for each in pool.flavours)
    simulated = ", simulated: no real one was found" if pool.simulated else ""
    verdict = Verdict.OK if total else Verdict.FAILED
    yield Finding("devices", verdict, f"{total} GPUs{simulated}", "" if total else "See pool.log for what NVML says.")


def _answers(name: str, url: str, remedy: str) -> Finding:
    try:
        status = httpx.get(url, timeout=10, trust_env=False).status_code
    except httpx.HTTPError as error:
        return Finding(name, Verdict.FAILED, f"{url} gives no answer ({error})", remedy)
    if status != httpx.codes.OK:
        return Finding(name, Verdict.FAILED, f"{url} answers with status {status}", remedy)
    return Finding(name, Verdict.OK, f"{url} answers")


_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "red"}


def _print(found: list[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for each in found:
        console.print(f"[{_COLOURS[each.verdict]}]{each.verdict.value}[/] {each.name}: ", end="")
        console.print(f"{each.said}. {each.remedy}".rstrip(), markup=False)
