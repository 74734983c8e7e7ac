"""The pool's notice to this server, kept in a file that programs in the server read."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Protocol

from labpool.api_models import NoticeView
from labpool.client import PoolError

from labpool_logs.server_extension.first_use import Log


class TellsNotices(Protocol):
    """The part of the pool's client that is needed here."""

    async def notice(self, ticket: str) -> NoticeView | None:
        """Return a ticket's current notice."""


class NoticeFile:
    """`notice.json`: there while there is a notice, and always whole.

    Args:
        folder: the server's runtime folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notice.json"

    def show(self, notice: NoticeView | None) -> None:
        """Write the notice, or remove the file where there is none."""
        if notice is None:
            self.path.unlink(missing_ok=True)
            return
        text = notice.model_dump_json()
        if self.path.exists() and self.path.read_text(encoding="utf-8") == text:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=self.path.parent, prefix=".notice-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(self.path)


class NoticePolling:
    """Asks the pool for the notice again and again.

    Args:
        pool: the pool's client, with the ticket's own token.
        ticket: the ticket's id.
        file: where the notice is shown.
        every_seconds: time between two questions.
        log: where to say what happened.
    """

    def __init__(self, pool: TellsNotices, ticket: str, file: NoticeFile, every_seconds: float, log: Log) -> None:
        self._pool, self._ticket, self._file, self._log = pool, ticket, file, log
        self._every_seconds = every_seconds
        self._polling: asyncio.Task[None] | None = None
        self._trouble = ""

    def start(self) -> None:
        """Ask now and from now on."""
        self._polling = asyncio.get_running_loop().create_task(self._ask_again_and_again())

    def stop(self) -> None:
        """Ask no more; the file stays as it is."""
        if self._polling is not None:
            self._polling.cancel()

    async def _ask_again_and_again(self) -> None:
        while True:
            await self._ask()
            await asyncio.sleep(self._every_seconds)

    async def _ask(self) -> None:
        try:
            notice = await self._pool.notice(self._ticket)
            await asyncio.to_thread(self._file.show, notice)
        except (PoolError, OSError) as error:
            self._say_once(f"The pool's notices can't be shown now: {error}")
        else:
            self._trouble = ""

    def _say_once(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._log.warning(trouble)
        self._trouble = trouble
