"""Keeping the queues as pool.yaml and admins say while the pool runs: what `labpool kueue sync` does, by itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from labpool.cluster import ClusterApi, ClusterRefused, ClusterUnavailable, FieldsTaken
from labpool.domain.catalogue import Catalogue
from labpool.kueue.steps import Act, Synced
from labpool.kueue.sync import sync_queues
from labpool.kueue.wanted import UnusableFlavours
from labpool.settings import ClusterSettings, KueueSettings

_AGAIN_SECONDS, _SOON_SECONDS = 600.0, 15.0
"""Between two looks at queues that should be right, since nodes come and go; and after one that failed."""
_LOG = logging.getLogger(__name__)


class QueueKeeper:
    """Syncs the queues at the start, whenever the rules in force change, and every ten minutes.

    What others have set is left, as the command leaves it without --force.

    Args:
        api: The API server.
        settings: What pool.yaml says now of the cluster, and of its queues.
    """

    def __init__(self, api: ClusterApi, settings: Callable[[], tuple[ClusterSettings, KueueSettings]]) -> None:
        self._api, self._settings = api, settings
        self._tried: tuple[Catalogue, ClusterSettings, KueueSettings] | None = None
        self._next = float("-inf")
        self.trouble: str | None = None

    def look_soon(self) -> None:
        """Sync the next time: somebody may have changed the queues."""
        self._next = float("-inf")

    async def keep(self, catalogue: Catalogue) -> bool:
        """Sync if that is due, and say whether it was; what goes wrong is `trouble`, and tried again soon."""
        wanted = (catalogue, *self._settings())
        if wanted == self._tried and time.monotonic() < self._next:
            return False
        self._tried = wanted
        try:
            done = await sync_queues(self._api, *wanted, dry_run=False, force=False)
        except (ClusterRefused, ClusterUnavailable, FieldsTaken, UnusableFlavours) as error:
            self._failed(str(error))
            return True
        except Exception as error:  # an object that nobody expected, say: who waits must go on standing in line
            _LOG.exception("syncing the queues broke off")
            self._failed(f"{type(error).__name__}: {error}. The pool's log says more.")
            return True
        self._next = time.monotonic() + _AGAIN_SECONDS
        self._say(_in_words(done))
        for step in done.steps:
            _LOG.info("queue synced", extra={"act": step.act.value, "object": str(step.named)})
        return True

    def _failed(self, why: str) -> None:
        self._say(f"The cluster's queues can't be set: {why}")
        self._next = time.monotonic() + _SOON_SECONDS

    def _say(self, trouble: str | None) -> None:
        if trouble and trouble != self.trouble:
            _LOG.warning("%s", trouble)
        self.trouble = trouble


def _in_words(done: Synced) -> str | None:
    left = [str(step.named) for step in done.steps if step.act in (Act.DRIFTED, Act.FOREIGN, Act.GOING)]
    if not left:
        return None
    return f"Not as pool.yaml says in the cluster: {', '.join(left)}. `labpool kueue sync --dry-run` says what to do."
