"""One supervisor for each data folder, and every port free before it starts."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from labpool.settings import Place, Ports

_WAIT_FOR_PORTS = 5.0


class AlreadyRunning(Exception):
    """Another supervisor works on this data folder."""


class NotYourFolder(Exception):
    """The data folder belongs to another user of this machine."""


class PortTaken(Exception):
    """Another program listens on a port that a part needs."""


@contextmanager
def sole_supervisor(place: Place, ports: Ports) -> Iterator[None]:
    """Hold the data folder's lock; the kernel gives it back however this process ends.

    Raises:
        AlreadyRunning: somebody else holds it; the message names the address.
        NotYourFolder: the folder is another user's.
    """
    _check_owner(place)
    with place.lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise AlreadyRunning(_who_runs(file.read(), place)) from error
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "address": ports.public_url}))
        file.flush()
        yield


def _check_owner(place: Place) -> None:
    owner = place.root.stat().st_uid
    if owner != os.geteuid():
        raise NotYourFolder(
            f"The data folder {place.root} belongs to user id {owner}, and you are {os.geteuid()}. Two users can't "
            "share one. Start labpool as its owner, or set LABPOOL_DATA to a folder of your own."
        )


def _who_runs(text: str, place: Place) -> str:
    try:
        said = json.loads(text)
        where = f"at {said['address']} (process {said['pid']})"
    except (ValueError, KeyError, TypeError):  # it is just writing this
        where = "and has just been started"
    return f"labpool is already running {where} on the data folder {place.root}. Stop that one first: Ctrl-C there."


async def wait_for_free_ports(ports: Ports) -> None:
    """Wait a moment for what a killed supervisor left to be gone, then insist.

    Raises:
        PortTaken: with the variable that moves the part to another port.
    """
    deadline = time.monotonic() + _WAIT_FOR_PORTS
    while (taken := _first_taken(ports)) is not None:
        if time.monotonic() > deadline:
            variable, port = taken
            raise PortTaken(
                f"Port {port} on 127.0.0.1 is in use by another program. Stop that program, or choose another port: "
                f"{variable}={_another(ports, int(port))} make hub"
            )
        await asyncio.sleep(0.1)


def _first_taken(ports: Ports) -> tuple[str, str] | None:
    return next((pair for pair in ports.environment().items() if not _is_free(int(pair[1]))), None)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _another(ports: Ports, port: int) -> int:
    used = {int(text) for text in ports.environment().values()}
    candidates = (port + step for step in range(10, 1000, 10) if port + step <= 65535)
    return next((each for each in candidates if each not in used and _is_free(each)), 0)
