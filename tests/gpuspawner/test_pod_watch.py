"""Watches on pods and events that have given up, or never began, are begun anew: real tasks, without a cluster."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from gpuspawner.pod_watch import Watches


@dataclass
class Watch:
    """As much of KubeSpawner's reflector as says whether it watches."""

    watch_task: asyncio.Task[None] | None = None


def watching() -> Watch:
    return Watch(asyncio.ensure_future(asyncio.sleep(60)))


class Cluster:
    """Watches that begin, once the API server lets them."""

    def __init__(self, earlier: Watch | None = None) -> None:
        self.known = {("pods", "lab"): earlier} if earlier else {}
        self.answers = asyncio.Event()
        self.begun = 0
        self.watches = Watches(self.known)

    async def see_to(self) -> None:
        await self.watches.see_to(("pods", "lab"), self._begin)

    async def _begin(self) -> None:
        self.begun += 1
        watch = self.known["pods", "lab"] = Watch()  # KubeSpawner names it before its first list too
        await self.answers.wait()
        if self.begun == 1:
            raise OSError("no route")
        watch.watch_task = watching().watch_task


async def gave_up() -> Watch:
    watch = watching()
    assert watch.watch_task is not None
    watch.watch_task.cancel()
    await asyncio.wait([watch.watch_task])
    return watch


async def test_watch_that_goes_on_is_left_alone():
    cluster = Cluster(watching())
    await cluster.see_to()
    assert cluster.begun == 0


async def test_watch_that_gave_up_is_begun_anew_once_for_all_who_look():
    earlier = await gave_up()
    cluster = Cluster(earlier)
    cluster.answers.set()
    failures = await asyncio.gather(*(cluster.see_to() for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in failures] == [OSError] * 3
    assert cluster.known["pods", "lab"] is earlier  # what was seen last, rather than nothing at all
    await asyncio.gather(*(cluster.see_to() for _ in range(3)))
    assert cluster.begun == 2
    await cluster.see_to()
    assert cluster.begun == 2


async def test_one_who_looks_no_longer_ends_nobody_elses_beginning():
    cluster = Cluster()
    first, second = asyncio.ensure_future(cluster.see_to()), asyncio.ensure_future(cluster.see_to())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    cluster.answers.set()
    with pytest.raises(OSError, match="no route"):
        await second
    await cluster.see_to()
    assert cluster.begun == 2
