"""The API server, as far as queues need it: lists, server-side apply, deletions."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp
import yaml
from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, Configuration

from labpool.kueue.answers import ClusterUnavailable, FieldsTaken, holders_in, make_sure
from labpool.kueue.manifests import GROUP_VERSION, Kind, Manifest, Named

FIELD_MANAGER = "labpool"
"""Whose the fields are that we set."""
_PATIENCE = 30
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class ClusterApi:
    """A connection. `namespace` is our own: the pod's, or that of the kubeconfig's context."""

    client: ApiClient
    namespace: str

    async def has_kueue(self) -> bool:
        """Whether Kueue, in a version that we speak, is installed; everybody may ask that."""
        status, _ = await self._ask("GET", f"/apis/{GROUP_VERSION}")
        return status != HTTPStatus.NOT_FOUND

    async def list_all(self, path: str) -> list[Mapping[str, object]]:
        """All objects at a path of the API.

        Raises:
            ClusterUnavailable: no answer.
            ClusterRefused: we may not.
        """
        status, answer = await self._ask("GET", path)
        make_sure(status, answer, f"list {path.rsplit('/', 1)[-1]}")
        items = answer.get("items")
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    async def apply(self, manifest: Manifest, *, dry_run: bool, force: bool) -> Mapping[str, object]:
        """Set what the manifest says, as ours, or only see what would come of it. Returns the object after that.

        Raises:
            FieldsTaken: others have set some of it, and `force` is not set.
            ClusterUnavailable: no answer.
            ClusterRefused: we may not, or it is not allowed.
        """
        parameters = {"fieldManager": FIELD_MANAGER, "force": str(force).lower()}
        parameters |= {"dryRun": "All"} if dry_run else {}
        status, answer = await self._ask("PATCH", path_of(manifest.named), parameters, manifest.body)
        if status == HTTPStatus.CONFLICT:
            raise FieldsTaken(holders_in(answer))
        make_sure(status, answer, f"set {manifest.named}")
        return answer

    async def delete(self, named: Named, *, dry_run: bool) -> None:
        """Delete an object, which may be gone; Kueue keeps it until nobody uses it any more.

        Raises:
            ClusterUnavailable: no answer.
            ClusterRefused: we may not.
        """
        status, answer = await self._ask("DELETE", path_of(named), {"dryRun": "All"} if dry_run else {})
        if status != HTTPStatus.NOT_FOUND:
            make_sure(status, answer, f"delete {named}")

    async def _ask(
        self, method: str, path: str, parameters: Mapping[str, str] | None = None, body: object = None
    ) -> tuple[int, Mapping[str, object]]:
        content_type = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
        try:
            response = await self.client.call_api(
                path,
                method,
                query_params=list((parameters or {}).items()),
                header_params={"Content-Type": content_type, "Accept": "application/json"},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=_PATIENCE,
            )
            return response.status, _as_object(await response.text())
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            said = str(error) or f"nothing within {_PATIENCE} seconds"
            where = self.client.configuration.host
            raise ClusterUnavailable(
                f"The API server at {where} gives no answer ({said}). Try again when it is back; another cluster is "
                "named by KUBECONFIG."
            ) from error


@asynccontextmanager
async def connected(environ: Mapping[str, str] = os.environ) -> AsyncIterator[ClusterApi]:
    """The cluster of KUBECONFIG, else the one that we run in, else that of ~/.kube/config.

    Raises:
        ClusterUnavailable: nothing says where it is.
    """
    settings = Configuration()
    inside = "KUBECONFIG" not in environ and (_ACCOUNT / "token").exists()
    file = environ.get("KUBECONFIG") or "~/.kube/config"
    try:
        if inside:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
            namespace = (_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
        else:
            await config.load_kube_config(config_file=file, client_configuration=settings)
            _, current = config.list_kube_config_contexts(config_file=file)
            namespace = (current or {"context": {}})["context"].get("namespace") or "default"
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        raise ClusterUnavailable(
            f"Nothing says where the cluster is ({error}). Set KUBECONFIG to a kubeconfig, or run this "
            "in the pool's pod."
        ) from error
    async with ApiClient(configuration=settings) as client:
        yield ClusterApi(client, namespace)


def path_of(named: Named) -> str:
    """Where an object is in the API."""
    return f"{paths_of(named.kind, named.namespace)}/{named.name}"


def paths_of(kind: Kind, namespace: str) -> str:
    """Where all objects of a kind are in the API; an empty namespace for the whole cluster's kinds."""
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP_VERSION}{within}/{kind.value}"


def _as_object(text: str) -> Mapping[str, object]:
    try:
        content = json.loads(text)
    except ValueError:
        return {"message": text.strip()}
    return content if isinstance(content, dict) else {}
