"""Local servers whose GPUs come from the pool: the hub's own spawner, and one question asked before each start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

from jupyterhub.spawner import SimpleLocalProcessSpawner
from labpool.api_models import LeaseToApply, SpawnAsked
from labpool.settings import Catalogue, Place, watched_pool_file
from traitlets import Float, Instance, TraitError, Unicode, default, validate

from gpuspawner.claim import Claim, shared_pool
from gpuspawner.environment import Surroundings, server_environment, server_process_environment
from gpuspawner.folders import UserFolders
from gpuspawner.forgotten import end_forgotten, note_process
from gpuspawner.form import render_form
from gpuspawner.hub_errors import HUB_MAJOR, NotStarted
from gpuspawner.options import OptionsRefused, Person, ServerOptions, names_nothing, parse_options


class SimpleLocalGPUSpawner(SimpleLocalProcessSpawner):
    """Start a user's server as a local process that sees exactly the devices it leased.

    All users' processes run under the hub's own account: nothing keeps them apart but their home folders.
    """

    pool_url = Unicode(
        "http://127.0.0.1:8100/services/pool",
        help="Address of the pool service, without a trailing slash. Default: the one that `labpool run` starts.",
    ).tag(config=True)

    pool_token = Unicode("", help="The spawner's secret, known to the pool too. No default.").tag(config=True)

    pool_id = Unicode("", help="Which pool this is, so that two on one machine don't mix. No default.").tag(config=True)

    pool_timeout = Float(
        10.0,
        min=0.5,
        max=60.0,
        help="Longest wait for the pool's answer in seconds, 0.5 to 60. Past it a GPU profile is refused; CPU profiles "
        "don't ask.",
    ).tag(config=True)

    pool_file = Unicode("pool.yaml", help="Path of pool.yaml; read again when it changes.").tag(config=True)

    pool_service = Unicode(
        "pool",
        help="Name of the pool's service at the hub. What it starts was granted, and is not counted.",
    ).tag(config=True)

    default_profile = Unicode(
        "cpu", help="CPU profile that starts, in the user's first project, when nothing was chosen."
    ).tag(config=True)

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
        return self.options_to_store

    @default("home_dir")
    def _home_in_data_folder(self) -> str:
        return str(Place(Path(self.data_folder)).home_of(self.user.name))

    @default("apply_user_options")
    def _applied_by_start(self) -> Callable[[object, object], None]:
        return lambda spawner, options: None

    @validate("consecutive_failure_limit")
    def _no_failure_limit_on_hub_5(self, proposal: Mapping[str, int]) -> int:
        limit = proposal["value"]
        if HUB_MAJOR < 6 and limit:
            raise TraitError(
                f"Spawner.consecutive_failure_limit is {limit}, expected 0: Hub 5 counts a researcher who waits for a "
                f"GPU as a failure and would exit after {limit} of them. Set c.Spawner.consecutive_failure_limit = 0."
            )
        return limit

    @property
    def catalogue(self) -> Catalogue:
        """What the lab decided, as pool.yaml says now."""
        return watched_pool_file(Path(self.pool_file)).current(self.log).catalogue

    @property
    def person(self) -> Person:
        """Who this server is for."""
        return Person(self.user.name, frozenset(group.name for group in self.user.groups))

    @property
    def claim(self) -> Claim:
        """Asks the pool for this server's lease."""
        return Claim(shared_pool(self.pool_url, self.pool_token, self.pool_timeout), self.log)

    def parse(self, raw: object) -> ServerOptions:
        """Read what was asked for.

        Raises:
            NotStarted: it names nothing that could be started; status 422.
        """
        try:
            return parse_options(raw, self.person, self.catalogue, self.default_profile)
        except OptionsRefused as refusal:
            raise NotStarted(422, refusal.reason, str(refusal)) from refusal

    def options_to_store(self, form: object) -> dict[str, str | float]:
        """What the hub stores for a sent form."""
        return self.parse(form).to_store()

    def options_from_query(self, query: Mapping[str, object]) -> dict[str, str | float]:
        """Read an address's options. One that names nothing starts nothing (`?_xsrf=`, left by a refused form)."""
        if names_nothing(query):
            message = "Nothing was started: this address names no project and no profile. Choose them below."
            raise NotStarted(400, "nothing_named", message)
        return self.options_to_store(query)

    async def start(self) -> tuple[str, int]:
        """Start with the lease's devices, or without any for a CPU profile.

        Raises:
            NotStarted: the options, the number of servers or the pool forbid it.
            WaitingForGPU: no lease yet; the ticket is filed and its page is where the browser is sent.
            GPUsUnavailable: a GPU profile was asked for and the pool doesn't answer.
        """
        self._environment, self._is_up = {}, False
        options = self.parse(self.user_options)
        if isinstance(self.user_options, Mapping) and not names_nothing(self.user_options):
            # what the hub shows and stores is what was understood
            self.user_options = self.orm_spawner.user_options = options.to_store()
        self._check_number_of_servers()
        lease = await self._obtain(options) if options.needs_gpu else None
        folders = self._folders()
        await asyncio.to_thread(folders.prepare, Path(self.first_files) if self.first_files else None)
        if await end_forgotten(folders.runtime, self.user.name, self.name):
            self.log.warning("ended a process of %s that a killed hub had forgotten", self._log_name)
        around = Surroundings(self.pool_url, self.pool_id, folders)
        profile = self.catalogue.profiles.get(options.profile)
        self._environment = server_environment(options, profile, lease, around)
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
        ticket = self._told().get("LABPOOL_TICKET") if self._is_up else None
        await super().stop(now)
        self._environment, self._is_up = {}, False
        if ticket:
            await self.claim.report_stopped(self.user.name, self.name, ticket)

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
            message = f"This account can't have a home folder: {error}. Ask a lab admin for another name."
            raise NotStarted(422, "unusable_user_name", message) from error

    async def _obtain(self, options: ServerOptions) -> LeaseToApply:
        asked = SpawnAsked(
            user=self.user.name,
            groups=tuple(sorted(self.person.groups)),
            admin=bool(self.user.admin),
            name=self.name,
            project=options.project,
            profile=options.profile,
            hours=options.hours,
            granted_only=self._asked_by_pool(),
        )
        return await self.claim.obtain(asked, self.handler)

    def _check_number_of_servers(self) -> None:
        limit = self.catalogue.limits.of(self.person.name, self.person.groups).servers
        others = [spawner.name for spawner in self.user.spawners.values() if spawner is not self and spawner.active]
        if len(others) >= limit:
            named = ", ".join(name or "the default server" for name in sorted(others))
            message = f"You already run {len(others)} servers ({named}) and may run {limit}. Stop one and try again."
            raise NotStarted(409, "too_many_servers", message)

    def _asked_by_pool(self) -> bool:
        caller = getattr(self.handler, "current_user", None)
        return caller is not None and (caller.kind, caller.name) == ("service", self.pool_service)

    def _told(self) -> Mapping[str, str]:
        """What the running server was told at its start, also where this hub did not start it."""
        return self._environment or server_process_environment(self.pid, self.user.name, self.name)

    def _is_over(self) -> bool:
        told, started = self._told(), self.orm_spawner.started  # none once the hub has cleared a dead server away
        if not self._is_up or started is None or "LABPOOL_TICKET" in told or "LABPOOL_HOURS" not in told:
            return False
        ends: datetime = started.replace(tzinfo=timezone.utc) + timedelta(hours=float(told["LABPOOL_HOURS"]))
        return datetime.now(timezone.utc) >= ends
