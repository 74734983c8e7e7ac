"""A real JupyterHub behind a real configurable-http-proxy, on free ports, for tests of what stands behind them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import httpx
from bs4 import BeautifulSoup

from tests.ports import free_ports

REPOSITORY = Path(__file__).resolve().parent.parent
PASSWORD = "a-password-for-tests"
NAVIGATION = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
FETCH = {"Accept": "application/json", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float = 60, seen: Callable[[], object] = lambda: ""
) -> None:
    """Poll until the condition holds; fail with `what`, and with what is `seen` then, past the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:g} s {seen()}")
        time.sleep(0.05)


def listens(url: str) -> bool:
    """Say whether anything at all comes back from an address."""
    return _status(url) is not None


def is_healthy(url: str) -> bool:
    """Say whether an address answers 200."""
    return _status(url) == 200


def _status(url: str) -> int | None:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code
    except httpx.HTTPError:
        return None


def proxy_command() -> list[str] | None:
    """Return how to start configurable-http-proxy, or None where there is none."""
    installed = REPOSITORY / "node_modules/.bin/configurable-http-proxy"
    if installed.exists():
        return [str(installed)]
    found = shutil.which("configurable-http-proxy")
    return [found] if found else None


@dataclass
class Service:
    """A service that the hub knows by name, token and prefix, and that the proxy routes to a port of this machine."""

    name: str
    prefix: str
    port: int
    token: str


@dataclass
class RealHub:
    """The running hub: addresses for tests, and a way to stop and start it."""

    folder: Path
    port: int
    proxy_api_port: int
    hub_port: int
    services: Sequence[Service]
    users: Mapping[str, Sequence[str]]
    extra_config: str = ""
    _hub: subprocess.Popen[bytes] | None = None
    _proxy: subprocess.Popen[bytes] | None = None
    admin_token: str = field(default="token-of-the-test-admin")

    @property
    def url(self) -> str:
        """Public address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """The hub's API as services see it."""
        return f"http://127.0.0.1:{self.hub_port}/hub/api"

    def start_proxy(self, command: Sequence[str]) -> None:
        """Start configurable-http-proxy."""
        ports = [f"--port={self.port}", f"--api-port={self.proxy_api_port}", "--ip=127.0.0.1", "--api-ip=127.0.0.1"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # Node may live in the environment
        environment = os.environ | {"CONFIGPROXY_AUTH_TOKEN": "proxy-token-for-tests", "PATH": path}
        self._proxy = self._spawn(
            [*command, *ports, "--error-target", f"http://127.0.0.1:{self.hub_port}/hub/error"], "proxy", environment
        )
        wait_until(lambda: listens(self.url), "the proxy's first answer")

    def start_hub(self) -> None:
        """Start the hub and wait until it answers through the proxy."""
        config = self.folder / "jupyterhub_config.py"
        config.write_text(self._config(), encoding="utf-8")
        command = [sys.executable, "-m", "jupyterhub", "-f", str(config)]
        self._hub = self._spawn(command, "hub", dict(os.environ))
        wait_until(
            lambda: is_healthy(f"{self.url}/hub/health"), f"the hub's first answer (log: {self.folder}/hub.log)", 120
        )

    def stop_hub(self) -> None:
        """Stop the hub; the proxy and the services go on."""
        _stop(self._hub)
        self._hub = None

    def kill_hub(self) -> None:
        """kill -9 of the hub, which stops no server."""
        assert self._hub is not None
        self._hub.kill()
        self._hub.wait()

    def stop(self) -> None:
        """Stop everything."""
        self.stop_hub()
        _stop(self._proxy)

    def api(self, method: str, path: str, json: object = None) -> httpx.Response:
        """Call the hub's API as its administrator."""
        headers = {"Authorization": f"token {self.admin_token}"}
        return httpx.request(method, self.api_url + path, json=json, headers=headers, timeout=60, trust_env=False)

    def token_for(self, user: str, scopes: Sequence[str]) -> str:
        """Return a new API token of a user."""
        response = self.api("POST", f"/users/{user}/tokens", {"note": "test", "scopes": list(scopes)})
        response.raise_for_status()
        return str(response.json()["token"])

    def browser(self) -> Browser:
        """Return a new browser without cookies."""
        return Browser(self.url)

    def signed_in(self, user: str) -> Browser:
        """Return a browser that is signed in to the hub."""
        browser = self.browser()
        browser.sign_in(browser.open("/hub/login"), user)
        return browser

    def _spawn(self, command: Sequence[str], name: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)

    def _config(self) -> str:
        services = [_registration(service) for service in self.services]
        services.append({"name": "test-admin", "api_token": self.admin_token, "admin": True})
        routes = {service.prefix: f"http://127.0.0.1:{service.port}" for service in self.services}
        members: dict[str, list[str]] = {}
        for user, groups in self.users.items():
            for group in groups:
                members.setdefault(group, []).append(user)
        access = [f"access:services!service={service.name}" for service in self.services]
        roles = [
            {"name": "user", "scopes": ["self"]},
            {"name": "researcher", "scopes": access, "groups": ["researchers"]},
            {"name": "test-admin", "scopes": ["admin:users", "tokens"], "services": ["test-admin"]},
        ]
        return f"""
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{self.port}"
c.JupyterHub.hub_port = {self.hub_port}
c.JupyterHub.db_url = "sqlite:///{self.folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{self.folder}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "{PASSWORD}"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"root-of-the-lab"}}
c.JupyterHub.services = {services!r}
c.JupyterHub.load_roles = {roles!r}
c.JupyterHub.load_groups = { ({name: {"users": users} for name, users in members.items()})!r}
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{self.proxy_api_port}"
c.ConfigurableHTTPProxy.auth_token = "proxy-token-for-tests"
c.Proxy.extra_routes = {routes!r}
{self.extra_config}
"""


class Browser:
    """A browser without a screen: cookies, navigations, the hub's login form. It runs no scripts."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def open(self, path: str) -> httpx.Response:
        """Open an address as a person does, and follow where it leads."""
        return self.client.get(path, headers=NAVIGATION, follow_redirects=True)

    def open_once(self, path: str) -> httpx.Response:
        """Open an address and follow nothing."""
        return self.client.get(path, headers=NAVIGATION)

    def fetch(self, path: str, method: str = "GET", **arguments: object) -> httpx.Response:
        """Ask as a script of a page does."""
        headers = FETCH | dict(arguments.pop("headers", {}))  # type: ignore[call-overload]
        return self.client.request(method, path, headers=headers, **arguments)  # type: ignore[arg-type]

    def sign_in(self, login_page: httpx.Response, user: str, password: str = PASSWORD) -> httpx.Response:
        """Fill in the hub's login form and follow where it leads."""
        form = BeautifulSoup(login_page.text, "html.parser").find("form")
        assert form is not None, f"no login form at {login_page.url}: {login_page.text[:500]}"
        inputs = [each for each in form.find_all("input") if each.get("name")]
        fields = {str(each["name"]): str(each.get("value", "")) for each in inputs}
        fields |= {"username": user, "password": password}
        action = urljoin(str(login_page.url), str(form["action"]))
        return self.client.post(action, data=fields, headers=NAVIGATION, follow_redirects=True)

    def sign_out(self) -> None:
        """Sign out of the hub."""
        self.open("/hub/logout")


@contextlib.contextmanager
def running_hub(
    folder: Path, services: Sequence[Service], users: Mapping[str, Sequence[str]], extra_config: str = ""
) -> Iterator[RealHub]:
    """Run a hub with external services.

    Args:
        folder: where its database and logs go.
        services: what the proxy routes beside the hub.
        users: groups by user name; members of `researchers` may use the services.
        extra_config: more lines of jupyterhub_config.py.
    """
    command = proxy_command()
    assert command is not None, "configurable-http-proxy is missing: run make setup"
    port, proxy_api_port, hub_port = free_ports(3)
    hub = RealHub(folder, port, proxy_api_port, hub_port, services, users, extra_config)
    try:
        hub.start_proxy(command)
        hub.start_hub()
        created = hub.api("POST", "/users", {"usernames": list(users)})
        assert created.status_code in {201, 409}, created.text  # 409: load_groups made them all
        yield hub
    finally:
        hub.stop()


def _registration(service: Service) -> dict[str, object]:
    """Return what the hub is told about a service."""
    return {
        "name": service.name,
        "api_token": service.token,
        "oauth_client_id": f"service-{service.name}",
        "oauth_redirect_uri": f"{service.prefix}oauth_callback",
        "oauth_no_confirm": True,
    }


def _stop(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
