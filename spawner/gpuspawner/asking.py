"""What every spawner of the pool does alike before a start: read what was asked for, and ask for the lease."""

from __future__ import annotations

from collections.abc import Mapping
from logging import Logger
from pathlib import Path
from typing import Any, Protocol

from labpool.api_models import LeaseToApply, SpawnAsked
from labpool.settings import Catalogue, PoolFile, watched_pool_file
from traitlets import TraitError

from gpuspawner.claim import Claim, shared_pool
from gpuspawner.hub_errors import HUB_MAJOR, NotStarted
from gpuspawner.options import OptionsRefused, Person, ServerOptions, names_nothing, parse_options


class AskingSpawner(Protocol):
    """What has to be known of a spawner to ask for its server. The hub's own objects have no types."""

    pool_url: str
    pool_token: str
    pool_timeout: float
    pool_file: str
    pool_service: str
    default_profile: str
    user_options: object
    name: str
    user: Any
    orm_spawner: Any
    handler: Any
    log: Logger


class Asking:
    """Asks for one spawner's server. It keeps nothing, so what it says is true of the spawner as it is now.

    Args:
        spawner: Whose server it is.
    """

    def __init__(self, spawner: AskingSpawner) -> None:
        self._spawner = spawner

    @property
    def pool_file(self) -> PoolFile:
        """What pool.yaml says now."""
        return watched_pool_file(Path(self._spawner.pool_file)).current(self._spawner.log)

    @property
    def catalogue(self) -> Catalogue:
        """What the lab decided, as pool.yaml says now."""
        return self.pool_file.catalogue

    @property
    def person(self) -> Person:
        """Who the server is for."""
        user = self._spawner.user
        return Person(user.name, frozenset(group.name for group in user.groups))

    @property
    def claim(self) -> Claim:
        """Asks the pool for the server's lease."""
        spawner = self._spawner
        return Claim(shared_pool(spawner.pool_url, spawner.pool_token, spawner.pool_timeout), spawner.log)

    def parse(self, raw: object) -> ServerOptions:
        """Read what was asked for.

        Raises:
            NotStarted: it names nothing that could be started; status 422.
        """
        try:
            return parse_options(raw, self.person, self.catalogue, self._spawner.default_profile)
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

    def understood(self) -> ServerOptions:
        """The options of this start; the hub shows and stores what was understood of them.

        Raises:
            NotStarted: they name nothing that could be started, or the user has too many servers.
        """
        spawner = self._spawner
        options = self.parse(spawner.user_options)
        if isinstance(spawner.user_options, Mapping) and not names_nothing(spawner.user_options):
            spawner.user_options = spawner.orm_spawner.user_options = options.to_store()
        self._check_number_of_servers()
        return options

    async def lease(self, options: ServerOptions) -> LeaseToApply | None:
        """The lease to apply, None for a CPU profile, which never asks the pool.

        Raises:
            WaitingForGPU: no lease yet; the ticket is filed and its page is where the browser is sent.
            NotStarted: the pool refused.
            GPUsUnavailable: the pool doesn't answer.
        """
        if not options.needs_gpu:
            return None
        spawner, person = self._spawner, self.person
        asked = SpawnAsked(
            user=person.name,
            groups=tuple(sorted(person.groups)),
            admin=bool(spawner.user.admin),
            name=spawner.name,
            project=options.project,
            profile=options.profile,
            hours=options.hours,
            granted_only=self._is_by_pool(),
        )
        return await self.claim.obtain(asked, spawner.handler)

    async def report_stopped(self, ticket: str, granted_at: str) -> None:
        """Say that a person stopped the server; see `Claim.report_stopped`."""
        await self.claim.report_stopped(self._spawner.user.name, self._spawner.name, ticket, granted_at)

    def _check_number_of_servers(self) -> None:
        spawner, person = self._spawner, self.person
        limit = self.catalogue.limits.of(person.name, person.groups).servers
        others = [other.name for other in spawner.user.spawners.values() if other is not spawner and other.active]
        if len(others) >= limit:
            named = ", ".join(name or "the default server" for name in sorted(others))
            message = f"You already run {len(others)} servers ({named}) and may run {limit}. Stop one and try again."
            raise NotStarted(409, "too_many_servers", message)

    def _is_by_pool(self) -> bool:
        caller = getattr(self._spawner.handler, "current_user", None)
        return caller is not None and (caller.kind, caller.name) == ("service", self._spawner.pool_service)


def no_failure_limit_on_hub_5(limit: int) -> int:
    """The value of `consecutive_failure_limit`, where it does no harm.

    Raises:
        TraitError: on Hub 5, for any but 0.
    """
    if HUB_MAJOR < 6 and limit:
        raise TraitError(
            f"Spawner.consecutive_failure_limit is {limit}, expected 0: Hub 5 counts a researcher who waits for a "
            f"GPU as a failure and would exit after {limit} of them. Set c.Spawner.consecutive_failure_limit = 0."
        )
    return limit


def options_are_applied_by_start(spawner: object, options: object) -> None:
    """For the hub's `apply_user_options`: what was sent reaches no trait; `start` reads it."""
