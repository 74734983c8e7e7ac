"""Local servers whose GPUs come from the pool: the hub's own spawner, and one question asked before each start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

from jupyterhub.spawner import SimpleLocalProcessSpawner
from labpool.settings import Place
from traitlets import Instance, Unicode, default, validate

from gpuspawner import pool_traits
from gpuspawner.asking import Asking, no_failure_limit_on_hub_5, options_are_applied_by_start
from gpuspawner.environment import Surroundings, server_environment, server_process_environment, visible_cards
from gpuspawner.folders import UserFolders, unusable_user_name
from gpuspawner.forgotten import end_forgotten, note_process
from gpuspawner.form import render_form


class SimpleLocalGPUSpawner(SimpleLocalProcessSpawner):
    """Start a user's server as a local process that sees exactly the devices it leased.

    All users' processes run under the hub's own account: nothing keeps them apart but their home folders.
    """

    pool_url = pool_traits.pool_url()
    pool_token = pool_traits.pool_token()
    pool_id = pool_traits.pool_id()
    pool_timeout = pool_traits.pool_timeout()
    pool_file = pool_traits.pool_file()
    pool_service = pool_traits.pool_service()
    default_profile = pool_traits.default_profile()

    first_files = Unicode(
        "", help="Folder whose files a new home gets, once. Default: none. A user's own files are never overwritten."
    ).tag(config=True)

    data_folder = Unicode(
        "/tmp/labpool",  # noqa: S108
        help="The lab's data folder, with homes, logs and runtime folders below. Default: for a trial only.",
    ).tag(config=True)

    user_options: object  # set by the hub: whatever was sent or stored
    popen_kwargs: Mapping[str, object]
    _environment: Mapping[str, str] = {}
    _is_up = False
    _look = Instance(asyncio.Lock, ())

    @default("options_form")
    def _live_form(self) -> Callable[[SimpleLocalGPUSpawner], object]:
        return render_form

    @default("options_from_form")
    def _parsed_form(self) -> Callable[[object], dict[str, str | float]]:
        return self.asking.options_to_store

    @default("home_dir")
    def _home_in_data_folder(self) -> str:
        return str(Place(Path(self.data_folder)).home_of(self.user.name))

    @default("apply_user_options")
    def _applied_by_start(self) -> Callable[[object, object], None]:
        return options_are_applied_by_start

    @validate("consecutive_failure_limit")
    def _no_failure_limit_on_hub_5(self, proposal: Mapping[str, int]) -> int:
        return no_failure_limit_on_hub_5(proposal["value"])

    @property
    def asking(self) -> Asking:
        """Reads what was asked for, and asks the pool."""
        return Asking(self)

    def options_from_query(self, query: Mapping[str, object]) -> dict[str, str | float]:
        """Read an address's options; see `Asking.options_from_query`."""
        return self.asking.options_from_query(query)

    async def start(self) -> tuple[str, int]:
        """Start with the lease's devices, or without any for a CPU profile.

        Raises:
            NotStarted: the options, the number of servers or the pool forbid it.
            WaitingForGPU: no lease yet; the ticket is filed and its page is where the browser is sent.
            GPUsUnavailable: a GPU profile was asked for and the pool doesn't answer.
        """
        self._environment, self._is_up = {}, False
        options = self.asking.understood()
        lease = await self.asking.lease(options)
        folders = self._folders()
        await asyncio.to_thread(folders.prepare, Path(self.first_files) if self.first_files else None)
        if await end_forgotten(folders.runtime, self.user.name, self.name):
            self.log.warning("ended a process of %s that a killed hub had forgotten", self._log_name)
        around = Surroundings(self.pool_url, self.pool_id, folders)
        profile = self.asking.catalogue.profiles.get(options.profile)
        self._environment = server_environment(options, profile, lease, around) | visible_cards(lease)
        self.popen_kwargs = {**self.popen_kwargs, "cwd": self.home_dir}
        note_process(folders.runtime, None)
        address: tuple[str, int] = await super().start()
        note_process(folders.runtime, self.pid)
        return address

    def make_preexec_fn(self, name: str) -> None:
        """Nothing to do in the new process, and so no need to copy the hub's whole memory map for it."""

    def get_env(self) -> dict[str, str]:
        """Add this start's variables; without a lease no GPU is visible, whatever the configuration says."""
        env: dict[str, str] = super().get_env()
        return env | {"CUDA_VISIBLE_DEVICES": ""} | dict(self._environment)

    def add_poll_callback(self, callback: Callable[..., object], *args: object, **kwargs: object) -> None:
        """Learn that the server is up: the hub adds its callback then, after a start and after its own restart."""
        super().add_poll_callback(callback, *args, **kwargs)
        self._is_up = True

    async def stop(self, now: bool = False) -> None:
        """Stop the process, and end the lease if a person stopped a server that was up.

        The hub also calls this after a failed start; the lease stays then, for the next try.
        """
        told = self._told() if self._is_up else {}
        await super().stop(now)
        self._environment, self._is_up = {}, False
        if ticket := told.get("LABPOOL_TICKET"):
            await self.asking.report_stopped(ticket, told.get("LABPOOL_GRANTED_AT", ""))

    async def poll_and_notify(self) -> int | None:
        """End a CPU server whose hours are over, then look as usual: the hub takes a dead server's route away.

        One look at a time: a start that looked meanwhile would find the dead server, and the clearing away under
        way would then stop what it started.
        """
        async with self._look:
            if self._is_over():
                self.log.info("hours are over, stopping CPU server %s", self._log_name)
                await super().stop()
            status: int | None = await super().poll_and_notify()
        return status

    def load_state(self, state: dict[str, object]) -> None:
        """Take over a process that runs on; a number that another process has by now is none of ours."""
        super().load_state(state)
        if not self._told():
            self.pid = 0

    def _folders(self) -> UserFolders:
        place, user = Place(Path(self.data_folder)), self.user.name
        try:
            return UserFolders(Path(self.home_dir), place.logs_of(user), place.runtime_of(user, self.name))
        except ValueError as error:
            raise unusable_user_name(error) from error

    def _told(self) -> Mapping[str, str]:
        """What the running server was told at its start, also where this hub did not start it."""
        return self._environment or server_process_environment(self.pid, self.user.name, self.name)

    def _is_over(self) -> bool:
        told, started = self._told(), self.orm_spawner.started  # none once the hub has cleared a dead server away
        if not self._is_up or started is None or "LABPOOL_TICKET" in told or "LABPOOL_HOURS" not in told:
            return False
        ends: datetime = started.replace(tzinfo=timezone.utc) + timedelta(hours=float(told["LABPOOL_HOURS"]))
        return datetime.now(timezone.utc) >= ends
