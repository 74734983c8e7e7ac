"""`labpool run`: everything on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping

from labpool.cli.supervisor import PartFailed, Supervisor
from labpool.cli.supervisor_lock import AlreadyRunning, NotYourFolder, PortTaken, sole_supervisor, wait_for_free_ports
from labpool.cli.supervisor_parts import ProxyMissing, all_parts
from labpool.client import PoolError, SyncPoolClient
from labpool.settings import (
    DEMO_ACCOUNTS,
    InvalidPoolFile,
    InvalidSetting,
    Place,
    Ports,
    UnusablePlace,
    load_pool_file,
    pool_file_path,
)

_FAILED, _UNUSABLE_SETTINGS = 1, 2


def run(environ: Mapping[str, str] = os.environ) -> int:
    """Run proxy, hub, pool and TensorBoard's gateway until Ctrl-C.

    Returns:
        Exit status: 0 after a stop that was asked for; 1 where it runs already or a part or port fails; 2 where the
        settings can't be used.
    """
    try:
        place, ports = Place.open(environ), Ports.read(environ)
        load_pool_file(pool_file_path(environ))
        with sole_supervisor(place, ports):
            asyncio.run(_supervise(place, ports, environ))
    except (InvalidPoolFile, InvalidSetting, UnusablePlace, NotYourFolder) as error:
        return _complain(error, _UNUSABLE_SETTINGS)
    except (AlreadyRunning, PortTaken, ProxyMissing, PartFailed) as error:
        return _complain(error, _FAILED)
    return 0


async def _supervise(place: Place, ports: Ports, environ: Mapping[str, str]) -> None:
    _say(f"Starting labpool on the data folder {place.root}")
    parts = all_parts(place, ports, environ)
    await wait_for_free_ports(ports)
    supervisor = Supervisor(parts, place, ports, _say)
    await supervisor.run(lambda: _say(welcome(place, ports)))


def welcome(place: Place, ports: Ports) -> str:
    """What a newcomer needs to know: address, accounts, password, data folder, whether GPUs are real, how to stop."""
    accounts = "\n".join(f"    {account.name:<8}{account.title}" for account in DEMO_ACCOUNTS)
    return f"""
labpool is running:  {ports.public_url}

  Demo accounts, all with the password {place.secret("demo_password")}
{accounts}
  These accounts are not isolated from each other: all servers run as the same user of this machine.

  GPUs:         {_gpus(place, ports)}
  Data folder:  {place.root}
  Logs:         {place.log}
  Stop:         Ctrl-C
"""


def _gpus(place: Place, ports: Ports) -> str:
    try:
        with SyncPoolClient(ports.pool_url, place.secret("spawner_token")) as client:
            pool = client.home(DEMO_ACCOUNTS[0].name).pool
    except PoolError as error:
        return f"unknown; {error}"
    counts = ", ".join(f"{flavour.total} {flavour.title}" for flavour in pool.flavours) or "none"
    return f"{counts}, simulated: this machine has none" if pool.simulated else counts


def _say(text: str) -> None:
    print(text, flush=True)


def _complain(error: Exception, status: int) -> int:
    print(error, file=sys.stderr, flush=True)
    return status
