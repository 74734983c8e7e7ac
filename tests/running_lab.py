"""All of labpool as `labpool run` starts it, in a folder of its own and on free ports, for tests of the whole."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from labpool.api_models import HomeView, TicketView
from labpool.cli.supervisor_labs import processes_of
from labpool.client import SyncPoolClient
from labpool.settings import DEMO_ACCOUNTS, Place, Ports

from tests.ports import free_ports
from tests.real_hub import REPOSITORY, Browser, wait_until

ADMIN_TOKEN = "token-of-the-test-admin"
TINY_SERVER = [sys.executable, "-S", "-E", str(REPOSITORY / "tests/tiny_server.py")]
HUB_5 = str(REPOSITORY / ".venv-hub5/bin/python")
PEOPLE = [account.name for account in DEMO_ACCOUNTS]

POOL_YAML = """
flavours: {demo-gpu: {title: Demo GPU, gpu_memory_gib: 16}}
simulated: {nodes: [{name: demo, cpu: 16, memory_gib: 64, devices: {demo-gpu: 4}}]}
limits: {user: {gpus: 4, servers: 3, queued: 30}}
profiles:
  cpu: {title: CPU only, cpu: 1, memory_gib: 1, max_hours: 12}
  gpu-1: {title: One GPU, flavour: demo-gpu, gpus: 1, cpu: 1, memory_gib: 1, max_hours: 8}
  gpu-2: {title: Two GPUs, flavour: demo-gpu, gpus: 2, cpu: 1, memory_gib: 1, max_hours: 8}
  gpu-4:
    {title: Four GPUs, flavour: demo-gpu, gpus: 4, cpu: 1, memory_gib: 1, max_hours: 8, precision: float32, xla: "on"}
projects:
  vision:
    title: Vision group
    members: {groups: [vision]}
    owners: {groups: [vision-owners]}
    nominal: {demo-gpu: 4}
    profiles: [cpu, gpu-1, gpu-2, gpu-4]
  speech:
    title: Speech group
    members: {groups: [speech]}
    nominal: {demo-gpu: 2}
    borrow: {demo-gpu: 2}
    profiles: [cpu, gpu-1]
queue:
  {shortest_minutes: 0.001, restart_minutes: 0.1, turnover_minutes: 0, end_grace_minutes: 0.02, reconcile_seconds: 0.5}
"""


@dataclass
class RunningLab:
    """A lab in one folder; it can be stopped, killed and started again.

    Args:
        folder: Where its data and configuration go.
        pool_yaml: Its pool.yaml.
        hub_config: More lines for the hub's configuration, after those of hub_config/demo.py.
        server: The single-user command; empty for the demo's own JupyterLab.
        python: The Python whose environment runs the lab; another one brings another JupyterHub.
    """

    folder: Path
    pool_yaml: str = POOL_YAML
    hub_config: str = ""
    server: Sequence[str] = field(default_factory=lambda: TINY_SERVER)
    python: str = sys.executable
    environ: Mapping[str, str] = field(default_factory=dict)
    ports: Ports = field(default_factory=lambda: Ports(*free_ports(5)))
    supervisor: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        (self.folder / "config").mkdir(parents=True, exist_ok=True)
        self.place = Place(self.folder / "data")
        self.write_pool_yaml(self.pool_yaml)
        (self.folder / "config/demo.py").write_text(self._hub_configuration(), encoding="utf-8")

    def write_pool_yaml(self, text: str) -> None:
        """Change the lab's pool.yaml."""
        (self.folder / "config/pool.yaml").write_text(text, encoding="utf-8")

    @property
    def url(self) -> str:
        """Public address without a slash at the end."""
        return self.ports.public_url

    @property
    def environment(self) -> dict[str, str]:
        """The environment of `labpool run`."""
        data = {"LABPOOL_DATA": str(self.place.root), "LABPOOL_CONFIG": str(self.folder / "config")}
        return {**os.environ, **data, **self.ports.environment(), **self.environ}

    def start(self) -> None:
        """Start everything and wait until it says that it runs."""
        self.launch()
        wait_until(lambda: "labpool is running" in self.said() or self.ended(), f"start of {self.folder}", 120)
        assert not self.ended(), self.said()

    def launch(self) -> None:
        """Start the supervisor without waiting."""
        command = [str(Path(self.python).parent / "labpool"), "run"]
        with (self.folder / "said.log").open("wb") as said:
            self.supervisor = subprocess.Popen(command, env=self.environment, stdout=said, stderr=said)

    def said(self) -> str:
        """What the supervisor printed since its last start."""
        return (self.folder / "said.log").read_text(encoding="utf-8")

    def log(self, part: str) -> str:
        """The log of one part."""
        return (self.place.log / f"{part}.log").read_text(encoding="utf-8", errors="replace")

    def ended(self) -> bool:
        """Whether the supervisor has ended."""
        return self.supervisor is None or self.supervisor.poll() is not None

    def stop(self) -> None:
        """Stop as Ctrl-C does, and make sure that nothing is left."""
        if not self.ended():
            assert self.supervisor is not None
            self.supervisor.send_signal(signal.SIGINT)
            self.supervisor.wait(60)
        for pid in self.labs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_supervisor(self) -> None:
        """kill -9 of the supervisor itself."""
        assert self.supervisor is not None
        self.supervisor.kill()
        self.supervisor.wait()

    def pids(self, part: str) -> list[int]:
        """Live processes of one part of this lab: hub, pool, logs or proxy."""
        marks = {
            "hub": f"-f\0{self.folder}/config/demo.py",
            "pool": "labpool.service",
            "logs": "labpool_logs",
            "proxy": f"--port\0{self.ports.proxy}\0",
        }
        mine = _processes_with(f"LABPOOL_DATA={self.place.root}")
        return [pid for pid in mine if marks[part] in _read(pid, "cmdline")]

    def kill(self, part: str) -> None:
        """kill -9 of one part."""
        self.signal(part, signal.SIGKILL)

    def signal(self, part: str, number: signal.Signals) -> None:
        """Send a signal to one part."""
        for pid in self.pids(part):
            os.kill(pid, number)

    def kill_hub_before_it_saves(self, user: str) -> None:
        """kill -9 of the hub as if just before it saved the start of the user's default server."""
        wait_until(lambda: self._stop_hub_and_forget_start(user), "a moment in which the hub writes nothing")
        self.kill("hub")

    def _stop_hub_and_forget_start(self, user: str) -> bool:
        """Stop the hub and take a start out of its database; False, and it goes on, where it was just writing."""
        self.signal("hub", signal.SIGSTOP)
        try:
            with contextlib.closing(sqlite3.connect(self.place.hub_db, timeout=0)) as database, database:
                database.execute(
                    "UPDATE spawners SET server_id = NULL, state = '{}' "
                    "WHERE name = '' AND user_id = (SELECT id FROM users WHERE name = ?)",
                    (user,),
                )
        except sqlite3.OperationalError:  # locked
            self.signal("hub", signal.SIGCONT)
            return False
        return True

    def labs(self) -> list[int]:
        """Live processes of this lab's single-user servers."""
        return list(processes_of(self.place.pool_id))

    def api(self, method: str, path: str, json: object = None, token: str = ADMIN_TOKEN) -> httpx.Response:
        """Call the hub's API, as an admin unless another token is given."""
        headers = {"Authorization": f"token {token}"}
        address = f"{self.ports.hub_api_url}{path}"
        return httpx.request(method, address, json=json, headers=headers, timeout=60, trust_env=False)

    def signed_in(self, user: str) -> Browser:
        """A browser in which `user` has just signed in; only then the hub knows the groups."""
        browser = Browser(self.url)
        browser.sign_in(browser.open("/hub/login"), user, self.place.secret("demo_password"))
        return browser

    def start_server(self, user: str, options: object, name: str = "") -> httpx.Response:
        """Start a server over REST, as a program of an admin does."""
        body = options if self.python == HUB_5 else {"user_options": options}
        return self.api("POST", _server(user, name), body)

    def stop_server(self, user: str, name: str = "") -> None:
        """Stop a server as its user does, and wait until it is gone."""
        self.api("DELETE", _server(user, name))
        wait_until(lambda: not self.is_active(user, name), f"stop of {user}'s server {name!r}")

    def steer(self, ticket: TicketView, step: str) -> httpx.Response:
        """Take a step on a ticket by a program of its owner: leave, ready, switch or end."""
        headers = {"Authorization": f"token {self.token_for(ticket.user)}"}
        address = f"{self.ports.pool_url}/api/v1/tickets/{ticket.id}/{step}"
        return httpx.post(address, headers=headers, timeout=20, trust_env=False)

    def token_for(self, user: str) -> str:
        """A new token with all that the user may do."""
        return str(self.api("POST", f"/users/{user}/tokens", {"note": "test"}).json()["token"])

    def servers(self, user: str) -> dict[str, dict[str, object]]:
        """The user's servers that are ready or pending, as the hub's API tells."""
        servers: dict[str, dict[str, object]] = self.api("GET", f"/users/{user}").json().get("servers", {})
        return {name: server for name, server in servers.items() if server["ready"] or server["pending"]}

    def is_active(self, user: str, name: str = "") -> bool:
        """Whether a server is ready or pending."""
        return name in self.servers(user)

    def is_ready(self, user: str, name: str = "") -> bool:
        """Whether a server takes requests."""
        return bool(self.servers(user).get(name, {}).get("ready"))

    def wait_ready(self, user: str, name: str = "") -> None:
        """Wait until a server takes requests."""
        wait_until(lambda: self.is_ready(user, name), f"start of {user}'s {name!r}", 90, lambda: self.home(user))

    def told(self, user: str, name: str = "") -> dict[str, str]:
        """The environment that a running tiny server was started with."""
        response = httpx.get(self._server_address(user, name), timeout=10, trust_env=False)
        return dict(response.raise_for_status().json())

    def use(self, user: str, name: str = "") -> None:
        """Use a user's server as a person does, which its own extension reports."""
        told = self.told(user, name)
        url = f"{self.ports.pool_url}/api/v1/tickets/{told['LABPOOL_TICKET']}/claim"
        headers = {"Authorization": f"Bearer {told['LABPOOL_TICKET_TOKEN']}"}
        httpx.post(url, headers=headers, timeout=20, trust_env=False).raise_for_status()

    def _server_address(self, user: str, name: str) -> str:
        return f"{self.url}/user/{user}/{name}{'/' if name else ''}environment"

    def home(self, user: str) -> HomeView:
        """The user's open tickets as the pool tells the hub."""
        with SyncPoolClient(self.ports.pool_url, self.place.secret("spawner_token")) as client:
            return client.home(user)

    def ticket(self, user: str, name: str = "") -> TicketView | None:
        """The open ticket of a server."""
        return next((ticket for ticket in self.home(user).tickets if ticket.name == name), None)

    def leased(self) -> dict[str, list[str]]:
        """Ticket id to its devices, over the demo's people."""
        tickets = [ticket for user in PEOPLE for ticket in self.home(user).tickets]
        return {ticket.id: list(ticket.lease.devices) for ticket in tickets if ticket.lease is not None}

    def _hub_configuration(self) -> str:
        command = f"c.Spawner.cmd = {list(self.server)!r}\nc.Spawner.args = []" if self.server else ""
        return f"""
load_subconfig({str(REPOSITORY / "hub_config/demo.py")!r})
{command}
c.Spawner.poll_interval = 1
c.Spawner.http_timeout = 5
c.JupyterHub.services += [{{"name": "test-admin", "api_token": {ADMIN_TOKEN!r}, "admin": True}}]
c.JupyterHub.load_roles += [
    {{"name": "test-admin", "scopes": ["admin:users", "admin:servers", "tokens", "groups"], "services": ["test-admin"]}}
]
{self.hub_config}
"""


def _server(user: str, name: str) -> str:
    return f"/users/{user}/servers/{name}" if name else f"/users/{user}/server"


@contextlib.contextmanager
def running_lab(folder: Path, **arguments: object) -> Iterator[RunningLab]:
    """A lab that runs; everything of it is gone afterwards. Arguments as for RunningLab."""
    lab = RunningLab(folder, **arguments)  # type: ignore[arg-type]
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()


def _processes_with(variable: str) -> list[int]:
    pids = (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    return [pid for pid in pids if f"\0{variable}\0" in f"\0{_read(pid, 'environ')}\0"]


def _read(pid: int, name: str) -> str:
    try:
        return (Path("/proc") / str(pid) / name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
