"""The four programs of one machine: how each is started, and how to tell that it answers."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import labpool
from labpool.settings import POOL_DATABASE, SMTP_PASSWORD, Place, Ports, config_folder, pool_file_path

_SECRETS_OF_THE_POOL = (POOL_DATABASE, SMTP_PASSWORD)
"""Variables that hold a password, and that nobody but the pool gets."""


class ProxyMissing(Exception):
    """configurable-http-proxy is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "configurable-http-proxy is missing; expected it in node_modules/.bin or on PATH. Run `make setup`."
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One program that is kept running. `health` answers 200 when it works; `stop_seconds` is its time to finish."""

    name: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    health: str
    stop_seconds: float
    health_token: str = field(default="", repr=False)


def all_parts(place: Place, ports: Ports, environ: Mapping[str, str]) -> tuple[Part, ...]:
    """Pool, hub, logs and proxy, in the order they are stopped in: nothing is granted that no hub could start.

    Raises:
        ProxyMissing: there is no configurable-http-proxy.
        InvalidSetting: there is no folder with the hub's configuration.
    """
    common = _common_environment(place, ports, environ)
    own = common | {name: environ[name] for name in _SECRETS_OF_THE_POOL if name in environ}
    return (
        _service("pool", "labpool.service", "/services/pool/", f"{ports.pool_url}/healthz", place, ports, own),
        _hub(ports, common, config_folder(environ)),
        _service("logs", "labpool_logs", "/logs/", f"{ports.logs_url}/logs/healthz", place, ports, common),
        _proxy(place, ports, common),
    )


def _common_environment(place: Place, ports: Ports, environ: Mapping[str, str]) -> dict[str, str]:
    own_programs = f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', os.defpath)}"
    return {
        **{name: value for name, value in environ.items() if name not in _SECRETS_OF_THE_POOL},
        **ports.environment(),
        "PATH": own_programs,
        "LABPOOL_DATA": str(place.root),
        "LABPOOL_CONFIG": str(config_folder(environ)),
        "LABPOOL_POOL_FILE": str(pool_file_path(environ)),
        "PYTHONUNBUFFERED": "1",
    }


def _hub(ports: Ports, common: Mapping[str, str], config: Path) -> Part:
    command = (sys.executable, "-m", "jupyterhub", "-f", str(config / "demo.py"))
    # stopping the Labs takes its time
    return Part("hub", "JupyterHub", command, common, f"http://127.0.0.1:{ports.hub}/hub/health", stop_seconds=45)


def _service(
    name: str, module: str, prefix: str, health: str, place: Place, ports: Ports, common: Mapping[str, str]
) -> Part:
    environment = {
        **common,
        "JUPYTERHUB_API_URL": ports.hub_api_url,
        "JUPYTERHUB_API_TOKEN": place.secret(f"{name}_token"),
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_SERVICE_NAME": name,
        "JUPYTERHUB_SERVICE_PREFIX": prefix,
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{prefix}oauth_callback",
        "JUPYTERHUB_CLIENT_ID": f"service-{name}",
    }
    titles = {"pool": "the pool", "logs": "TensorBoard's gateway"}
    return Part(name, titles[name], (sys.executable, "-m", module), environment, health, stop_seconds=10)


def _proxy(place: Place, ports: Ports, common: Mapping[str, str]) -> Part:
    token = place.secret("proxy_token")
    options = {
        "--ip": "127.0.0.1",
        "--port": str(ports.proxy),
        "--api-ip": "127.0.0.1",
        "--api-port": str(ports.proxy_api),
        "--error-target": f"http://127.0.0.1:{ports.hub}/hub/error",
    }
    command = (_proxy_program(common), *(word for option in options.items() for word in option))
    environment = {**common, "CONFIGPROXY_AUTH_TOKEN": token}
    health = f"{ports.proxy_api_url}/api/routes"
    return Part("proxy", "the proxy", command, environment, health, stop_seconds=5, health_token=token)


def _proxy_program(environ: Mapping[str, str]) -> str:
    of_checkout = Path(labpool.__file__).resolve().parents[2] / "node_modules/.bin/configurable-http-proxy"
    if of_checkout.exists():
        return str(of_checkout)
    found = shutil.which("configurable-http-proxy", path=environ["PATH"])
    if found is None:
        raise ProxyMissing
    return found
