"""Where the parts on one machine find each other: ports, addresses and the folder with the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import labpool


class InvalidSetting(ValueError):
    """An environment variable holds what it can't mean; the message says which, and what was expected."""


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports on 127.0.0.1 of the parts that `labpool run` starts."""

    proxy: int = 8000
    proxy_api: int = 8001
    hub: int = 8081
    pool: int = 8100
    logs: int = 8101

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Ports:
        """Ports from the environment; a variable that is missing or empty leaves the default.

        Raises:
            InvalidSetting: a variable is no port, or two parts would share one.
        """
        found = {part: _port(environ, variable) for part, variable in _VARIABLES.items() if environ.get(variable)}
        ports = cls(**found)
        ports._check_distinct()
        return ports

    def environment(self) -> dict[str, str]:
        """The variables that make a child process read these same ports."""
        return {variable: str(getattr(self, part)) for part, variable in _VARIABLES.items()}

    @property
    def public_url(self) -> str:
        """Where a browser on this machine finds the hub, without a trailing slash."""
        return f"http://127.0.0.1:{self.proxy}"

    @property
    def proxy_api_url(self) -> str:
        """Where the hub tells the proxy its routes."""
        return f"http://127.0.0.1:{self.proxy_api}"

    @property
    def hub_api_url(self) -> str:
        """The hub's API, past the proxy."""
        return f"http://127.0.0.1:{self.hub}/hub/api"

    @property
    def pool_url(self) -> str:
        """The pool service, past the proxy, without a trailing slash."""
        return f"http://127.0.0.1:{self.pool}/services/pool"

    @property
    def logs_url(self) -> str:
        """The logs service, past the proxy, without a path."""
        return f"http://127.0.0.1:{self.logs}"

    def _check_distinct(self) -> None:
        seen: dict[int, str] = {}
        for part, variable in _VARIABLES.items():
            port: int = getattr(self, part)
            if port in seen:
                raise InvalidSetting(f"{seen[port]} and {variable} are both {port}; give each part a port of its own.")
            seen[port] = variable


_VARIABLES = {
    "proxy": "LABPOOL_PORT",
    "proxy_api": "LABPOOL_PROXY_API_PORT",
    "hub": "LABPOOL_HUB_PORT",
    "pool": "LABPOOL_POOL_PORT",
    "logs": "LABPOOL_LOGS_PORT",
}


def _port(environ: Mapping[str, str], variable: str) -> int:
    text = environ[variable]
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise InvalidSetting(f'{variable} is "{text}"; expected a port, a whole number from 1 to 65535.')
    return int(text)


def config_folder(environ: Mapping[str, str]) -> Path:
    """The folder with the hub's configuration and pool.yaml: `LABPOOL_CONFIG`, else the checkout's hub_config.

    Raises:
        InvalidSetting: there is no such folder.
    """
    named = environ.get("LABPOOL_CONFIG")
    folder = Path(named).expanduser() if named else _checkout() / "hub_config"
    if not folder.is_dir():
        said = f'LABPOOL_CONFIG is "{named}"' if named else f"LABPOOL_CONFIG is not set and {folder} is not there"
        raise InvalidSetting(f"{said}; set LABPOOL_CONFIG to the folder with jupyterhub configuration and pool.yaml.")
    return folder.absolute()


def pool_file_path(environ: Mapping[str, str]) -> Path:
    """Path of pool.yaml: `LABPOOL_POOL_FILE`, else the one in the configuration folder; it need not exist.

    Raises:
        InvalidSetting: there is no configuration folder.
    """
    named = environ.get("LABPOOL_POOL_FILE")
    return Path(named).expanduser().absolute() if named else config_folder(environ) / "pool.yaml"


def _checkout() -> Path:
    return Path(labpool.__file__).resolve().parents[2]
