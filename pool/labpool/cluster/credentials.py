"""Who we are for a cluster, by a kubeconfig whose token may run out: a program tells it, say, or an OIDC login."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubernetes_asyncio.client import Configuration

_AGAIN_SECONDS = 5.0
"""Between two tries, so that a program that gives what the API server doesn't take isn't run for each request."""
_LOG = logging.getLogger(__name__)


class Credentials:
    """Those of a kubeconfig.

    Args:
        settings: Where the client reads them.
        file: The kubeconfig.
    """

    def __init__(self, settings: Configuration, file: str) -> None:
        self._settings, self._file = settings, file
        self._one_by_one = asyncio.Lock()
        self._next = float("-inf")

    @property
    def token(self) -> str:
        """What requests bear now; empty where they bear none."""
        return str(self._settings.api_key.get("BearerToken", ""))

    async def load(self) -> None:
        """Read the kubeconfig, run the program that it names, or refresh the login."""
        from kubernetes_asyncio import config  # noqa: PLC0415 (takes most of a second, and has been loaded by now)

        await config.load_kube_config(config_file=self._file, client_configuration=self._settings)

    async def renewed(self, refused: str) -> bool:
        """Whether there is another token than the `refused` one, which is asked for if nobody has done so yet."""
        async with self._one_by_one:
            if self.token == refused and time.monotonic() >= self._next:
                self._next = time.monotonic() + _AGAIN_SECONDS
                try:
                    await self.load()
                except Exception as error:  # a program of somebody else's may fail in any way
                    _LOG.warning("no new token for the cluster could be had: %s", error)
            return self.token != refused
