"""Starting, stopping and listing servers over JupyterHub's REST API (Hub 5.5 and 6.1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from urllib.parse import quote, urlencode

import aiohttp
from pydantic import BaseModel, TypeAdapter, ValidationError
from yarl import URL

from labpool.hub_api.errors import HubRefused, HubUnavailable

PAGE = 200


@dataclass(frozen=True, slots=True)
class HubServer:
    """One server as the hub sees it. `pending` is spawn, stop or empty; `ready` means it takes requests."""

    user: str
    name: str
    ready: bool
    pending: str
    profile: str


class _Server(BaseModel):
    ready: bool = False
    pending: str | None = None
    user_options: dict[str, object] | None = None


class _User(BaseModel):
    name: str
    servers: dict[str, _Server] = {}


class _Next(BaseModel):
    offset: int


class _Pagination(BaseModel):
    next: _Next | None = None


class _Page(BaseModel):
    items: list[_User]
    pagination: _Pagination = _Pagination()


_PAGE: TypeAdapter[_Page | list[_User]] = TypeAdapter(_Page | list[_User])


class HubClient:
    """Ask one hub, with the pool's service token, from one event loop.

    Args:
        api_url: The hub's API, such as http://127.0.0.1:8081/hub/api.
        token: A token with the scopes list:users, read:servers, delete:servers and start:servers
            (`servers` on Hub 5.5).
        timeout: Longest wait for an answer in seconds. The hub answers a start after its slow_spawn_timeout at the
            latest, 10 s by default.
    """

    def __init__(self, api_url: str, token: str, timeout: float = 20.0) -> None:
        self._url = api_url.rstrip("/")
        self._headers = {"Authorization": f"token {token}", "Accept": "application/jupyterhub-pagination+json"}
        self._timeout = timeout
        self._http: aiohttp.ClientSession | None = None
        self._version = ""  # by its last answer; unknown again when it gives none, since it may be back as another one

    async def __aenter__(self) -> HubClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def servers(self) -> dict[tuple[str, str], HubServer]:
        """All servers that are ready or pending, by (user, name).

        Raises:
            HubUnavailable: no usable answer; nothing can be concluded about any server.
        """
        found: dict[tuple[str, str], HubServer] = {}
        offset: int | None = 0
        while offset is not None:
            users, offset = await self._users(offset)
            for user in users:
                found |= {(user.name, name): _seen(user.name, name, server) for name, server in user.servers.items()}
        return {key: server for key, server in found.items() if server.ready or server.pending}

    async def start(self, user: str, name: str, options: Mapping[str, object]) -> None:
        """Ask the hub to start a server; it may still be starting when this returns.

        Raises:
            HubRefused: the hub said no; 400 also means that a server of this name is running or pending.
            HubUnavailable: no usable answer.
        """
        # Hub 6 takes {"user_options": …}; Hub 5.5 takes the body itself as the options, so both get what they read.
        body = {"user_options": dict(options)} if await self._takes_wrapped_options() else dict(options)
        await self._send("POST", _server_path(user, name), body=body)

    async def stop(self, user: str, name: str) -> None:
        """Ask the hub to stop a server; nothing happens where it doesn't run."""
        try:
            await self._send("DELETE", _server_path(user, name))
        except HubRefused as refused:
            if refused.status != HTTPStatus.NOT_FOUND:
                raise

    async def version(self) -> str:
        """The hub's version."""
        return str(_object(await self._send("GET", "/")).get("version", ""))

    async def _takes_wrapped_options(self) -> bool:
        major = (self._version or await self.version()).split(".")[0]
        return not major.isdigit() or int(major) >= 6

    async def _users(self, offset: int) -> tuple[list[_User], int | None]:
        query: dict[str, str | int] = {"state": "active", "limit": PAGE, "offset": offset}
        answer = await self._send("GET", f"/users?{urlencode(query)}")
        try:
            page = _PAGE.validate_json(answer)
        except ValidationError as error:
            raise HubUnavailable(f"the hub's list of users has an unknown form: {_unfit(error)}") from None
        if isinstance(page, list):
            return page, None
        return page.items, page.pagination.next.offset if page.pagination.next else None

    async def _send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> bytes:
        url = URL(self._url + path, encoded=True)
        try:
            async with self._session().request(method, url, json=body, allow_redirects=False) as response:
                answer = await response.read()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            self._version = ""
            raise HubUnavailable(f"the hub at {self._url} gives no answer ({type(error).__name__}: {error})") from error
        self._version = response.headers.get("X-JupyterHub-Version", "")
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _refused_or_unavailable(response, answer)
        return answer

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:  # it belongs to the loop that runs when it is made
            whole = aiohttp.ClientTimeout(total=self._timeout)
            self._http = aiohttp.ClientSession(
                headers=self._headers, timeout=whole, cookie_jar=aiohttp.DummyCookieJar(), raise_for_status=False
            )
        return self._http


def _refused_or_unavailable(response: aiohttp.ClientResponse, answer: bytes) -> HubRefused | HubUnavailable:
    message = str(_object(answer).get("message", "")) or answer[:200].decode(errors="replace")
    # Behind a proxy 503 means that the hub itself isn't there; a spawner of ours says 503 to wait.
    led_elsewhere = response.status < HTTPStatus.BAD_REQUEST
    if led_elsewhere or response.status in {HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}:
        return HubUnavailable(f"the hub answered {response.status}: {message}")
    return HubRefused(response.status, message, response.headers.get("Labpool-Reason", ""))


def _unfit(error: ValidationError) -> str:
    """What is wrong with an answer, without what it says of people."""
    return "; ".join(sorted({each["msg"] for each in error.errors(include_input=False)}))


def _object(answer: bytes) -> Mapping[str, object]:
    """A JSON object; nothing where the answer is none."""
    try:
        found = json.loads(answer)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _seen(user: str, name: str, server: _Server) -> HubServer:
    profile = (server.user_options or {}).get("profile")
    pending = server.pending or ""
    return HubServer(user, name, server.ready, pending, profile if isinstance(profile, str) else "")


def _server_path(user: str, name: str) -> str:
    if name:
        return f"/users/{quote(user, safe='')}/servers/{quote(name, safe='')}"
    return f"/users/{quote(user, safe='')}/server"
