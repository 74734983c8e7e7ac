"""A pool service in this process whose clock the test can move, before a real hub that starts real processes."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import TypeVar

import httpx
import uvicorn
from fastapi import FastAPI
from labpool.api_models import HomeView, TicketView
from labpool.domain.inventory import Inventory
from labpool.domain.tickets import Ticket
from labpool.engines import WorkstationEngine
from labpool.http_server import server_config
from labpool.hub_api import HubClient
from labpool.hub_signin import HubSignin, SigninSettings
from labpool.service.app import PREFIX, make_app
from labpool.service.changes import Changes
from labpool.service.desk import Desk
from labpool.service.first_estimates import FirstEstimates
from labpool.service.head_keeper import HeadKeeper
from labpool.service.leading import Leading
from labpool.service.nearing import Nearing
from labpool.service.parts import Parts
from labpool.service.rates import Rates
from labpool.service.reconciler import Reconciler
from labpool.service.second_place import second_place
from labpool.service.sending.post import Post
from labpool.service.setting import Setting
from labpool.service.ticket_tokens import TicketTokens
from labpool.service.viewing import Viewer
from labpool.settings import NoticeSettings, Place, complete_catalogue, sqlite_url, watched_pool_file
from labpool.store import AuditEntry, Inbox, Store, connect, leadership, migrate

from tests.real_hub import is_healthy, wait_until
from tests.running_lab import TINY_SERVER

Done = TypeVar("Done")
_LOG = logging.getLogger(__name__)
SPAWNER_TOKEN = "spawner-token-for-tests"
POOL_TOKEN = "pool-token-for-tests"
PROGRAM_TOKEN = "token-of-a-service-that-may-only-reach-us"
METRICS_TOKEN = "metrics-token-for-tests"
POOL_YAML = """
engine: workstation
flavours: {demo-gpu: {title: Demo GPU, gpu_memory_gib: 16}}
simulated: {nodes: [{name: demo, cpu: 16, memory_gib: 64, devices: {demo-gpu: 4}}]}
limits: {user: {gpus: 4, servers: 5, queued: 8}}
profiles:
  cpu: {title: CPU only, cpu: 2, memory_gib: 4, max_hours: 12}
  gpu-1: {title: One GPU, flavour: demo-gpu, gpus: 1, cpu: 2, memory_gib: 4, max_hours: 8, preset: single}
  gpu-4: {title: Four GPUs, flavour: demo-gpu, gpus: 4, cpu: 4, memory_gib: 8, max_hours: 8, preset: mirrored}
projects:
  vision:
    title: Vision group
    members: {everyone: true}
    nominal: {demo-gpu: 4}
    borrow: {demo-gpu: 4}
    profiles: [cpu, gpu-1, gpu-4]
queue: {reconcile_seconds: 0.3, start_tries: 2}
"""


@dataclass
class MovableClock:
    """The real time, moved forward as far as a test says."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(timezone.utc) + self.ahead


@dataclass
class RunningPool:
    """One pool and the ways a test looks at it: as the spawner, and by its audit trail."""

    folder: Path
    port: int
    hub_api_url: str
    pool_yaml: str = POOL_YAML
    database: str = ""
    clock: MovableClock = field(default_factory=MovableClock)
    newcomers: Iterator[int] = field(default_factory=count)
    """Numbers of users whom no test has had."""
    _stop: Callable[[], None] | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _parts: Parts | None = None
    _store: Store | None = None
    _app: FastAPI | None = None
    _engine: WorkstationEngine | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    @property
    def database_url(self) -> str:
        """The pool's database."""
        return self.database or sqlite_url(self.place().pool_db)

    @property
    def parts(self) -> Parts:
        assert self._parts is not None
        return self._parts

    @property
    def app(self) -> FastAPI:
        """What is served."""
        assert self._app is not None
        return self._app

    @property
    def engine(self) -> WorkstationEngine:
        assert self._engine is not None
        return self._engine

    def place(self) -> Place:
        return Place.open({"LABPOOL_DATA": str(self.folder / "data")})

    def start(self) -> None:
        """Serve in a thread of its own, on the data of an earlier start."""
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        wait_until(lambda: is_healthy(f"{self.url}/healthz"), "the pool's start")

    def stop(self) -> None:
        assert self._stop is not None
        self._stop()
        wait_until(lambda: self._loop is None, "the pool's end")

    def _stop_serving(self) -> None:
        assert self._stop is not None
        self._stop()

    def use(self, parts: Parts) -> None:
        """Let the pool that is served answer with other parts."""
        assert self._app is not None
        self._parts = self._app.state.parts = parts

    def call(self, work: Coroutine[object, object, Done]) -> Done:
        """Run something in the pool's loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def as_spawner(self, method: str, path: str, json: object = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {SPAWNER_TOKEN}"}
        return httpx.request(
            method, f"{self.url}/api/v1{path}", json=json, headers=headers, timeout=30, trust_env=False
        )

    def tickets(self, user: str) -> tuple[TicketView, ...]:
        return HomeView.model_validate_json(self.as_spawner("GET", f"/users/{user}/home").content).tickets

    def ticket(self, ticket: str) -> TicketView:
        return self.call(self.parts.viewer.ticket(ticket))

    def absent(self, ticket: str) -> bool:
        """Whether the pool noted that nothing of the ticket's server is there."""
        lease = self.call(self.parts.desk.view(lambda view: view.lease_of(ticket)))
        return lease is not None and lease.absent_since is not None

    def token(self, ticket: str) -> str:
        """What the ticket's server has in LABPOOL_TICKET_TOKEN."""
        found = self.call(self.parts.desk.find(ticket))
        assert found is not None
        return self.parts.tokens.token(found)

    def open_tickets(self) -> tuple[Ticket, ...]:
        return self.call(self.parts.desk.view(lambda view: view.open_tickets()))

    def ask(self, user: str, profile: str = "gpu-1", name: str = "", hours: float = 1) -> httpx.Response:
        """Ask for a server's lease as the spawner does."""
        asked = {"user": user, "name": name, "project": "vision", "profile": profile, "hours": hours}
        return self.as_spawner("POST", "/spawns", asked)

    def trail(self, ticket: str) -> list[str]:
        entries: tuple[AuditEntry, ...] = self.call(self.parts.desk.view(lambda view: view.audit_trail(ticket)))
        return [entry.event for entry in entries]

    def pass_time(self, ahead: timedelta) -> None:
        """Let time pass for the pool, and let it look round."""
        self.clock.ahead += ahead
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.parts.reconciler.look_soon)

    async def _serve(self) -> None:
        self._parts = await self._make_parts()
        self._app = make_app(self._parts)
        server = uvicorn.Server(server_config(self._app, "127.0.0.1", self.port))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # not in a thread
        self._loop = asyncio.get_running_loop()
        self._stop = lambda: setattr(server, "should_exit", True)
        await server.serve()
        await self._hub.close()
        self._store.close()
        self._loop = None

    async def _make_parts(self) -> Parts:
        place = self.place()
        (self.folder / "pool.yaml").write_text(self.pool_yaml)
        watched = watched_pool_file(self.folder / "pool.yaml")
        pool_file = watched.current(_LOG)
        self._engine = engine = WorkstationEngine(pool_file, place, place.pool_id)
        database = connect(self.database_url)
        migrate(database)
        part = leadership(database, secrets.token_hex())
        self._store = Store(database, part)
        changes = Changes()
        setting = self._rules(await engine.inventory())
        desk = Desk(self._store, setting, self.clock, changes)
        self._hub = HubClient(self.hub_api_url, POOL_TOKEN)
        reconciler = Reconciler(
            desk,
            engine,
            self._hub,
            self._rules,
            pool_file.reconcile_seconds,
        )
        settings = SigninSettings("pool", f"{PREFIX}/", self.hub_api_url, POOL_TOKEN, b"k" * 32)
        viewer = Viewer(desk, reconciler, "workstation")
        heads = HeadKeeper(desk, second_place(pool_file.audit_heads, place.audit_heads))
        signin, tokens = HubSignin(settings), TicketTokens(b"ticket-key")
        post = Post(desk, self._notice_settings, lambda: "", b"ticket-key")
        # without ChangedEstimates: tests jump over hours, which upsets any estimate; its own test looks when it says so
        activities = (post, Nearing(desk), FirstEstimates(desk), heads)
        leading = Leading(part, reconciler, activities, end=self._stop_serving)
        kept = (SPAWNER_TOKEN, heads, watched, post, Inbox(database, part), Rates(60_000))
        return Parts(desk, viewer, reconciler, leading, changes, signin, tokens, *kept)

    def _rules(self, devices: Inventory) -> Setting:
        written = watched_pool_file(self.folder / "pool.yaml").current(_LOG)
        return Setting(devices, complete_catalogue(written.catalogue, devices), written.sha256)

    def _notice_settings(self) -> NoticeSettings:
        written = watched_pool_file(self.folder / "pool.yaml").current(_LOG).notices
        return replace(written, public_url="https://hub.example.org")


def server_path(user: str, name: str = "") -> str:
    """Path of a server in the hub's API."""
    return f"/users/{user}/servers/{name}" if name else f"/users/{user}/server"


def hub_config(pool_url: str, place: Place, pool_file: Path) -> str:
    """Lines of jupyterhub_config.py that make the hub ask this pool."""
    return f"""
from gpuspawner.local import SimpleLocalGPUSpawner
c.JupyterHub.spawner_class = SimpleLocalGPUSpawner
c.JupyterHub.allow_named_servers = True
c.SimpleLocalGPUSpawner.pool_url = {pool_url!r}
c.SimpleLocalGPUSpawner.pool_token = {SPAWNER_TOKEN!r}
c.SimpleLocalGPUSpawner.pool_id = {place.pool_id!r}
c.SimpleLocalGPUSpawner.pool_file = {str(pool_file)!r}
c.SimpleLocalGPUSpawner.data_folder = {str(place.root)!r}
c.Spawner.cmd = {TINY_SERVER!r}
c.Spawner.poll_interval = 1
c.JupyterHub.custom_scopes = {{
    "custom:labpool:read": {{"description": "see"}},
    "custom:labpool:write": {{"description": "change"}},
    "custom:labpool:admin": {{"description": "all"}},
    "custom:labpool:metrics": {{"description": "metrics"}},
}}
c.JupyterHub.load_roles[1]["scopes"] += ["custom:labpool:read", "custom:labpool:write", "servers!user"]
c.JupyterHub.load_roles[2]["scopes"] += ["admin:servers", "custom:labpool:admin", "access:services!service=pool"]
c.JupyterHub.services.append({{"name": "program", "api_token": {PROGRAM_TOKEN!r}}})
c.JupyterHub.load_roles.append({{
    "name": "program",
    "scopes": ["access:services!service=pool"],
    "services": ["program"],
}})
c.JupyterHub.services.append({{"name": "prometheus", "api_token": {METRICS_TOKEN!r}}})
c.JupyterHub.load_roles.append({{
    "name": "prometheus",
    "scopes": ["access:services!service=pool", "custom:labpool:metrics"],
    "services": ["prometheus"],
}})
c.JupyterHub.load_roles.append({{
    "name": "pool",
    "scopes": ["list:users", "read:servers", "start:servers", "delete:servers"],
    "services": ["pool"],
}})
"""
