"""Where the last row of the audit trail is written down beside the database: a file that only grows, or syslog."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from logging.handlers import SysLogHandler
from pathlib import Path

SecondPlace = Callable[[str], None]
"""Takes one line to keep. Raises OSError where it can't."""

_DEV_LOG = "/dev/log"
_AUTH_NOTICE = SysLogHandler.LOG_AUTH << 3 | SysLogHandler.LOG_NOTICE


def second_place(named: str | None, default: Path) -> SecondPlace:
    """The place of pool.yaml's `audit.heads`: `syslog`, a file's path, or None for the file `default`."""
    if named == "syslog":
        return to_syslog
    path = Path(named) if named else default
    return lambda line: to_file(path, line)


def to_file(path: Path, line: str) -> None:
    """Add a line to a file, which is on the disk when this returns."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def to_syslog(line: str, address: str = _DEV_LOG) -> None:
    """Send a line to the machine's syslog, as labpool-audit in the facility for security."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.connect(address)
        connection.send(f"<{_AUTH_NOTICE}>labpool-audit: {line}".encode())
