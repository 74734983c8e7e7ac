"""Proxy, hub, pool and logs as children of one small process: each restarted alone, all ending with it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterable

import httpx

from labpool.cli.supervisor_child import Child
from labpool.cli.supervisor_labs import end_labs
from labpool.cli.supervisor_parts import Part
from labpool.settings import Place, Ports

_EARLY_DEATHS_ALLOWED = 3
_LOG_LINES_SHOWN = 15
_PROBE_SECONDS = 0.1
_LAB_SECONDS = 10.0


class PartFailed(Exception):
    """A part can't be started; the message has the end of its log."""

    def __init__(self, child: Child) -> None:
        super().__init__(
            f"{child.part.title} ended {child.early_deaths} times right after its start. The end of {child.log}:\n"
            f"{child.last_lines(_LOG_LINES_SHOWN)}"
        )


class Supervisor:
    """Runs the parts until a signal says stop.

    Args:
        parts: The parts, in the order they are stopped in.
        place: The data folder; each part's output goes to a file of its own there.
        ports: Where the parts listen.
        say: Told what happens, one line at a time.
    """

    def __init__(self, parts: Iterable[Part], place: Place, ports: Ports, say: Callable[[str], None]) -> None:
        self._ports, self._say = ports, say
        self._pool_id = place.pool_id
        self._token = place.secret("supervisor_token")
        self._http = httpx.AsyncClient(timeout=5.0, trust_env=False)
        self._children = [
            Child(part, place.log / f"{part.name}.log", self._started_callback(part), say) for part in parts
        ]
        self._ready = False
        self._hurry = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Run all parts; `when_ready` is called once, when all of them answer.

        Raises:
            PartFailed: a part ended again and again before everything was ready.
        """
        stop = self._stop_at_signals()
        for child in self._children:
            self._in_background(child.keep_running())
            self._in_background(self._note_answers(child))
        try:
            starting = asyncio.ensure_future(self._wait_until_ready())
            stopping = asyncio.ensure_future(stop.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self._ready = True
                when_ready()
                await stopping
            starting.cancel()
        finally:
            await self._stop_all()

    async def _wait_until_ready(self) -> None:
        began = asyncio.get_running_loop().time()

        async def wait_for(child: Child) -> None:
            await self._wait_until_healthy(child)
            seconds = asyncio.get_running_loop().time() - began
            self._say(f"  {child.part.title} is ready after {seconds:.1f} s")

        await asyncio.gather(*(wait_for(child) for child in self._children))

    async def _wait_until_healthy(self, child: Child) -> None:
        while not await self._is_healthy(child.part):
            if not self._ready and child.early_deaths >= _EARLY_DEATHS_ALLOWED:
                raise PartFailed(child)
            await asyncio.sleep(_PROBE_SECONDS)

    async def _note_answers(self, child: Child) -> None:
        while True:
            child.answered = child.answered or await self._is_healthy(child.part)
            await asyncio.sleep(_PROBE_SECONDS)

    async def _is_healthy(self, part: Part) -> bool:
        headers = {"Authorization": f"token {part.health_token}"} if part.health_token else {}
        try:
            return (await self._http.get(part.health, headers=headers)).is_success
        except httpx.HTTPError:
            return False

    def _started_callback(self, part: Part) -> Callable[[int], None]:
        def started(starts: int) -> None:
            if starts > 1 and self._ready:
                self._say(f"{part.title} ended and was started again")
                if part.name == "proxy":
                    self._in_background(self._restore_routes())

        return started

    async def _restore_routes(self) -> None:
        # a new proxy has no routes, and the hub would look for that only every few minutes
        headers = {"Authorization": f"token {self._token}"}
        for child in self._children:
            if child.part.name in {"proxy", "hub"}:
                await self._wait_until_healthy(child)
        while not await self._has_restored(headers):  # noqa: ASYNC110 (nothing tells when it can be asked again)
            await asyncio.sleep(1.0)

    async def _has_restored(self, headers: dict[str, str]) -> bool:
        try:
            (await self._http.post(f"{self._ports.hub_api_url}/proxy", headers=headers)).raise_for_status()
        except httpx.HTTPError as error:
            self._say(f"The proxy's routes could not be restored ({error}); trying again")
            return False
        return True

    def _stop_at_signals(self) -> asyncio.Event:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def told() -> None:
            if stop.is_set():
                self._hurry.set()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                loop.add_signal_handler(number, told)
        return stop

    async def _stop_all(self) -> None:
        self._say("Stopping; Labs are asked to end. Once more Ctrl-C ends everything at once.")
        for child in self._children:
            await child.stop(self._hurry)
            if child.part.name == "hub":
                # one that it was just starting is none that it stops
                left = await end_labs(self._pool_id, 0 if self._hurry.is_set() else _LAB_SECONDS)
                if left:
                    self._say(f"These processes of Labs could not be ended: {', '.join(map(str, left))}")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()
        self._say("Stopped.")

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
