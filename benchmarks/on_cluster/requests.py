"""How often is the API server asked, and by whom? Its audit log tells."""

from __future__ import annotations

import json
from pathlib import Path


class AskedOf:
    """The requests since the last `forget`, but for watches: they go on and on, however many servers start."""

    def __init__(self, audit_log: Path) -> None:
        self._log, self._read_to = audit_log, 0

    def forget(self) -> None:
        """Count anew from now on."""
        self._read_to = self._log.stat().st_size

    def by(self, account: str) -> int:
        """How many requests a service account sent."""
        with self._log.open("rb") as log:
            log.seek(self._read_to)
            told = [json.loads(line) for line in log if line.endswith(b"\n")]
        return sum(each["user"]["username"] == account and each["verb"] != "watch" for each in told)
