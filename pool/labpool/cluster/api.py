"""The API server: lists and watches, server-side apply, deletions."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import yaml

from labpool.cluster.answers import ClusterUnavailable, FieldsTaken, holders_in, make_sure
from labpool.cluster.credentials import Credentials

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

FIELD_MANAGER = "labpool"
"""Whose the fields are that we set."""
_PATIENCE = 30
_PAGE = 200
"""Objects in one answer: tens of thousands at once would keep everything else waiting while they are read."""
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_JSON, _APPLY = "application/json", "application/apply-patch+yaml"
_NO_ANSWER = (aiohttp.ClientError, asyncio.TimeoutError, OSError)

Object = Mapping[str, object]


class _Request(NamedTuple):
    method: str
    path: str
    parameters: Mapping[str, str]
    body: object
    content_type: str
    patience: aiohttp.ClientTimeout


@dataclass(frozen=True, slots=True)
class ClusterApi:
    """A connection. `namespace` is our own: the pod's, or that of the kubeconfig's context.

    `credentials` are renewed once the API server doesn't know them any more; None where they see to that themselves.
    """

    client: ApiClient
    namespace: str
    credentials: Credentials | None = None

    async def serves(self, group_version: str) -> bool:
        """Whether the API server knows a group of kinds in this version, as `kueue.x-k8s.io/v1beta2`."""
        status, _ = await self.ask("GET", f"/apis/{group_version}")
        return status != HTTPStatus.NOT_FOUND

    async def list_all(self, path: str) -> list[Object]:
        """All objects at a path of the API.

        Raises:
            ClusterUnavailable: no answer.
            ClusterRefused: we may not.
        """
        items, _ = await self.list_as_of(path, {})
        return items

    async def list_as_of(self, path: str, chosen: Mapping[str, str]) -> tuple[list[Object], str]:
        """The objects at a path that are `chosen` by selectors, and the version from which a watch goes on.

        Raises:
            ClusterUnavailable: no answer.
            ClusterRefused: we may not.
        """
        found: list[Object] = []
        page = {"limit": str(_PAGE)}
        while True:
            status, answer = await self.ask("GET", path, {**chosen, **page})
            if status == HTTPStatus.GONE and "continue" in page:  # it took too long: all at once, then
                found, page = [], {}
                continue
            make_sure(status, answer, f"list {path.rsplit('/', 1)[-1]}")
            items, metadata = answer.get("items"), answer.get("metadata")
            said = metadata if isinstance(metadata, dict) else {}
            found += [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
            if not said.get("continue"):
                return found, str(said.get("resourceVersion", ""))
            page = {"limit": str(_PAGE), "continue": str(said["continue"])}

    async def watch(self, path: str, parameters: Mapping[str, str], seconds: float) -> AsyncIterator[Object]:
        """What happens to the objects at a path, as the API server's events, until it ends that after `seconds`.

        Raises:
            ClusterUnavailable: no answer, or it broke off.
            ClusterRefused: we may not.
        """
        asked = {**parameters, "watch": "true", "timeoutSeconds": str(round(seconds))}
        patience = aiohttp.ClientTimeout(total=seconds + _PATIENCE, sock_connect=_PATIENCE)
        try:
            async with await self._send(_Request("GET", path, asked, None, _JSON, patience)) as response:
                async for event in _events(response, path):
                    yield event
        except _NO_ANSWER as error:
            raise self._gives_no_answer(error) from error

    async def apply(self, path: str, body: object, what: str, *, dry_run: bool = False, force: bool = False) -> Object:
        """Set what `body` says of the object at a path, as ours, or only see what would come of it.

        Args:
            path: Of the object, or of a part of it, such as its status.
            body: A manifest with the fields that are to be ours.
            what: What that is, as in "we can't …".
            dry_run: Only see what would come of it.
            force: Also take fields that others have set.

        Returns:
            The object after that.

        Raises:
            FieldsTaken: others have set some of it, and `force` is not set.
            ClusterUnavailable: no answer.
            ClusterRefused: we may not, or it is not allowed.
        """
        parameters = {"fieldManager": FIELD_MANAGER, "force": str(force).lower()}
        status, answer = await self.ask("PATCH", path, parameters | _dry(dry_run), body, content_type=_APPLY)
        if status == HTTPStatus.CONFLICT:
            raise FieldsTaken(holders_in(answer))
        make_sure(status, answer, what)
        return answer

    async def delete(self, path: str, what: str, *, dry_run: bool = False, options: Object | None = None) -> bool:
        """Delete an object, which may be gone; it may stay for a while, as a pod does while it stops.

        Args:
            path: Of the object.
            what: What that is, as in "we can't …".
            dry_run: Only see whether we may.
            options: Grace and preconditions, as the API names them.

        Returns:
            Whether there was one that fits the preconditions.

        Raises:
            ClusterUnavailable: no answer.
            ClusterRefused: we may not.
        """
        status, answer = await self.ask("DELETE", path, _dry(dry_run), options)
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            return False
        make_sure(status, answer, what)
        return True

    async def ask(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None = None,
        body: object = None,
        *,
        content_type: str = _JSON,
    ) -> tuple[int, Object]:
        """Any request; gives the status of HTTP and what came with it.

        Raises:
            ClusterUnavailable: no answer.
        """
        patience = aiohttp.ClientTimeout(total=_PATIENCE)
        try:
            response = await self._send(_Request(method, path, parameters or {}, body, content_type, patience))
            return response.status, _as_object(await response.text())
        except _NO_ANSWER as error:
            raise self._gives_no_answer(error) from error

    async def _send(self, request: _Request) -> aiohttp.ClientResponse:
        token = self.credentials.token if self.credentials else ""
        response = await self._send_once(request)
        if response.status == HTTPStatus.UNAUTHORIZED and self.credentials and await self.credentials.renewed(token):
            response.close()
            return await self._send_once(request)
        return response

    async def _send_once(self, request: _Request) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await self.client.call_api(
            request.path,
            request.method,
            query_params=list(request.parameters.items()),
            header_params={"Content-Type": request.content_type, "Accept": _JSON},
            body=request.body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _return_http_data_only=True,
            _request_timeout=request.patience,
        )
        return response

    def _gives_no_answer(self, error: Exception) -> ClusterUnavailable:
        said = str(error) or f"nothing within {_PATIENCE} seconds"
        return ClusterUnavailable(
            f"The API server at {self.client.configuration.host} gives no answer ({said}). Try again when it is back; "
            "another cluster is named by KUBECONFIG."
        )


@asynccontextmanager
async def connected(environ: Mapping[str, str] = os.environ) -> AsyncIterator[ClusterApi]:
    """The cluster of KUBECONFIG, else the one that we run in, else that of ~/.kube/config.

    Raises:
        ClusterUnavailable: nothing says where it is.
    """
    from kubernetes_asyncio import config  # noqa: PLC0415 (takes most of a second, and a pool on one machine needs none)
    from kubernetes_asyncio.client import ApiClient, Configuration  # noqa: PLC0415 (the same)

    settings = Configuration()
    inside = "KUBECONFIG" not in environ and (_ACCOUNT / "token").exists()
    file, credentials = environ.get("KUBECONFIG") or "~/.kube/config", None
    try:
        if inside:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
            namespace = (_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
        else:
            credentials = Credentials(settings, file)
            await credentials.load()
            _, current = config.list_kube_config_contexts(config_file=file)
            namespace = (current or {"context": {}})["context"].get("namespace") or "default"
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        raise ClusterUnavailable(
            f"Nothing says where the cluster is ({error}). Set KUBECONFIG to a kubeconfig, or run this "
            "in the pool's pod."
        ) from error
    async with ApiClient(configuration=settings) as client:
        yield ClusterApi(client, namespace, credentials)


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


async def _events(response: aiohttp.ClientResponse, path: str) -> AsyncIterator[Object]:
    if response.status == HTTPStatus.GONE:  # later on it would be an event, and means the same
        yield {"type": "ERROR", "object": _as_object(await response.text())}
        return
    if response.status >= HTTPStatus.BAD_REQUEST:
        make_sure(response.status, _as_object(await response.text()), f"watch {path.rsplit('/', 1)[-1]}")
    async for line in _lines(response):
        yield _as_object(line)


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """The lines of an answer as they come, however long one is."""
    begun = bytearray()
    async for chunk in response.content.iter_any():
        begun += chunk
        *whole, rest = begun.split(b"\n")
        begun = bytearray(rest)
        for line in whole:
            if line.strip():
                yield line.decode("utf-8", errors="replace")


def _as_object(text: str) -> Object:
    try:
        content = json.loads(text)
    except ValueError:
        return {"message": text.strip()}
    return content if isinstance(content, dict) else {}
