"""What the hub's log gets to know of a pod: all but the values of its environment, whatever goes wrong."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from gpuspawner.hub_errors import NotStarted
from gpuspawner.kubernetes import GPUKubeSpawner
from kubernetes_asyncio.client import ApiClient, Configuration, CoreV1Api
from kubespawner.objects import make_owner_reference

from tests.gpuspawner.fake_cluster import Seen, wanted
from tests.gpuspawner.pods import manifest, pod_spawner
from tests.gpuspawner.test_pod_manifest import environment
from tests.ports import free_ports

pytestmark = pytest.mark.usefixtures("no_cluster")

SECRETS = {"JUPYTERHUB_API_TOKEN": 'hub-"token"-1', "LABPOOL_TICKET_TOKEN": "ticket-token", "SIDECAR": "side-token-1"}
SETTINGS: dict[str, Any] = {
    "environment": {"JUPYTERHUB_API_TOKEN": SECRETS["JUPYTERHUB_API_TOKEN"]},
    "extra_containers": [
        {"name": "side", "image": "lab/side:1", "env": [{"name": "SIDECAR", "value": SECRETS["SIDECAR"]}]}
    ],
    "extra_container_config": {"env": [{"name": "MORE", "value": "more-token-1"}]},
}


class EchoingApi:
    """An API server that refuses every pod and quotes all of it."""

    async def __aenter__(self) -> EchoingApi:
        application = web.Application()
        application.router.add_post("/api/v1/namespaces/lab/persistentvolumeclaims", self._take)
        application.router.add_post("/api/v1/namespaces/lab/pods", self._refuse)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        (port,) = free_ports(1)
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.client = ApiClient(Configuration(host=f"http://127.0.0.1:{port}"))
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.client.close()
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        return web.json_response(await request.json(), status=201)

    async def _refuse(self, request: web.Request) -> web.Response:
        return web.json_response({"message": f"denied the request: {await request.text()}"}, status=422)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All that is logged by anybody, at any level."""
    caplog.set_level(logging.DEBUG)
    for name in ("traitlets", "JupyterHub", "kubernetes_asyncio"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def told(logged: pytest.LogCaptureFixture) -> str:
    return logged.text + "".join(str(record.exc_info) for record in logged.records)


async def test_refused_pod_leaves_no_value_of_its_environment_in_the_log(
    tmp_path: Path, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    seen = Seen(asyncio.get_running_loop().create_future())
    seen.first_load_future.set_result(None)
    for kind in ("pods", "events"):
        monkeypatch.setitem(GPUKubeSpawner.reflectors, (kind, "lab"), seen)
    spawner = pod_spawner(tmp_path, **{**SETTINGS, "extra_container_config": {}})
    spawner.log.propagate = True

    wanted(spawner, "whole", monkeypatch)
    async with EchoingApi() as api:
        spawner.api = CoreV1Api(api.client)
        with pytest.raises(NotStarted) as refused:
            await spawner.start()
    assert refused.value.headers["Labpool-Reason"] == "cluster_refused"
    assert "denied the request" in logged.text and "JUPYTERHUB_API_TOKEN" in logged.text
    for secret in SECRETS.values():
        assert secret not in told(logged) and json.dumps(secret)[1:-1] not in told(logged)


async def test_setting_that_replaces_the_environment_shows_nothing_of_it(
    tmp_path: Path, logged: pytest.LogCaptureFixture
):
    spawner = pod_spawner(tmp_path, **SETTINGS)
    spawner.log.propagate = True
    await manifest(spawner, "whole")
    assert "is overridden with" in logged.text
    assert environment(await manifest(spawner, "whole"))["MORE"] == "more-token-1"
    for secret in (*SECRETS.values(), "more-token-1"):
        assert secret not in told(logged)


async def test_printed_pod_tells_the_names_of_its_variables_alone_and_is_sent_with_their_values(tmp_path: Path):
    spawner = pod_spawner(tmp_path, **{**SETTINGS, "extra_container_config": {}})
    sent = environment(await manifest(spawner, "whole"))
    assert {sent[name] for name in ("JUPYTERHUB_API_TOKEN",)} == {SECRETS["JUPYTERHUB_API_TOKEN"]}
    pod = await spawner.get_pod_manifest()
    for shown in (pod.to_str(), repr(pod), str(pod.to_dict())):
        assert "JUPYTERHUB_API_TOKEN" in shown and "SIDECAR" in shown
        assert not any(secret in shown for secret in SECRETS.values())


async def test_keys_for_tls_are_sent_but_not_shown(tmp_path: Path):
    spawner = pod_spawner(tmp_path)
    for name in ("keyfile", "certfile", "cafile", "hub-ca"):
        (tmp_path / name).write_text(f"the {name}")
    spawner.cert_paths = {name: str(tmp_path / name) for name in ("keyfile", "certfile", "cafile")}
    spawner.internal_trust_bundles = {"hub-ca": str(tmp_path / "hub-ca")}
    secret = spawner.get_secret_manifest(make_owner_reference("jupyter-ada", "uid-1"))
    key = base64.b64encode(b"the keyfile").decode()
    assert ApiClient.sanitize_for_serialization(ApiClient(Configuration()), secret)["data"]["ssl.key"] == key
    assert "ssl.key" in secret.to_str() and key not in secret.to_str()
