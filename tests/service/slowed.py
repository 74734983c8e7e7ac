"""A way to a server that passes on what a client says only after a while."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

_AT_ONCE = 65536


@dataclass
class SlowWay:
    """A port that leads to another one; each message to there waits for `seconds`."""

    to_port: int
    port: int = 0
    seconds: float = 0.0

    async def _lead(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        server, forth = await asyncio.open_connection("127.0.0.1", self.to_port)
        with suppress(ConnectionError):
            await asyncio.gather(self._pass_on(client, forth, slowly=True), self._pass_on(server, back, slowly=False))

    async def _pass_on(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, slowly: bool) -> None:
        try:
            while data := await source.read(_AT_ONCE):
                if slowly:
                    await asyncio.sleep(self.seconds)
                to.write(data)
                await to.drain()
        finally:
            to.close()

    async def _serve(self, begun: Future[Callable[[], object]]) -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._lead, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        begun.set_result(partial(loop.call_soon_threadsafe, end.set))
        await end.wait()
        server.close()


@contextmanager
def slow_way(to_port: int) -> Iterator[SlowWay]:
    """Lead to a port of this machine, at first without waiting."""
    way, begun = SlowWay(to_port), Future[Callable[[], object]]()
    thread = threading.Thread(target=lambda: asyncio.run(way._serve(begun)))
    thread.start()
    end = begun.result()
    try:
        yield way
    finally:
        end()
        thread.join()
