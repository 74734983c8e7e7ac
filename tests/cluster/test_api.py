"""The connection to an API server: a little server of the test's own answers, over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from labpool.cluster import ClusterRefused, connected, credentials
from labpool.cluster.api import _PAGE

Answer = Callable[[web.Request], Awaitable[web.Response]]
Serve = Callable[[Answer], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves what a function answers; gives its address."""
    runners: list[web.AppRunner] = []

    async def start(answer: Answer) -> str:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runners.append(web.AppRunner(app))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        host, port = runners[-1].addresses[0]
        return f"http://{host}:{port}"

    yield start
    for each in runners:
        await each.cleanup()


def kubeconfig(folder: Path, address: str, user: dict[str, object]) -> dict[str, str]:
    """The environment that names a kubeconfig."""
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "little", "user": "pool", "namespace": "lab"}}],
        "clusters": [{"name": "little", "cluster": {"server": address}}],
        "users": [{"name": "pool", "user": user}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(content))
    return {"KUBECONFIG": str(folder / "kubeconfig")}


def pages_of(pods: int, forgets: bool = False) -> Answer:
    """Tells so many pods, page by page; `forgets` from the second page on what it began with."""

    async def answer(request: web.Request) -> web.Response:
        begin, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", pods))
        if forgets and begin:
            return web.json_response({"message": "the continue token is too old"}, status=410)
        metadata = {"resourceVersion": "7"} | ({"continue": str(begin + limit)} if begin + limit < pods else {})
        items = [{"metadata": {"name": f"pod-{number}"}} for number in range(begin, min(begin + limit, pods))]
        return web.json_response({"metadata": metadata, "items": items})

    return answer


@pytest.mark.parametrize("forgets", [False, True])
async def test_long_list_comes_in_pages_or_at_once_where_the_server_forgets_it_meanwhile(
    serve: Serve, tmp_path: Path, forgets: bool
):
    pods, answer = 2 * _PAGE + 1, pages_of(2 * _PAGE + 1, forgets)
    sizes: list[int] = []

    async def counted(request: web.Request) -> web.Response:
        response = await answer(request)
        sizes.append((response.text or "").count("pod-"))
        return response

    async with connected(kubeconfig(tmp_path, await serve(counted), {"token": "mine"})) as api:
        items, version = await api.list_as_of("/api/v1/pods", {"fieldSelector": "status.phase!=Failed"})
    assert [item["metadata"] for item in items] == [{"name": f"pod-{number}"} for number in range(pods)]
    assert version == "7"
    assert sizes == ([_PAGE, 0, pods] if forgets else [_PAGE, _PAGE, 1])


def tells_token(folder: Path) -> dict[str, object]:
    """A user of a kubeconfig whose token a program tells: what the test has written, and each time it leaves a mark."""
    told = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "TOKEN"}}
    script = f"echo >> {folder}/runs; sed s/TOKEN/$(cat {folder}/token)/ {folder}/told"
    (folder / "told").write_text(json.dumps(told))
    return {"exec": {"apiVersion": told["apiVersion"], "command": "sh", "args": ["-c", script]}}


async def test_token_that_has_run_out_is_asked_for_again_once(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(credentials, "_AGAIN_SECONDS", 600.0)
    taken = ["first"]

    async def answer(request: web.Request) -> web.Response:
        status = 200 if request.headers["Authorization"] == f"Bearer {taken[-1]}" else 401
        return web.json_response({"items": []}, status=status)

    (tmp_path / "token").write_text("first")
    async with connected(kubeconfig(tmp_path, await serve(answer), tells_token(tmp_path))) as api:
        await api.list_all("/api/v1/pods")
        taken.append("second")
        (tmp_path / "token").write_text("second")
        await asyncio.gather(*(api.list_all("/api/v1/pods") for _ in range(3)))
        assert len((tmp_path / "runs").read_text()) == 2
        taken.append("third")
        for _ in range(2):
            with pytest.raises(ClusterRefused, match="doesn't know us"):
                await api.list_all("/api/v1/pods")
        assert len((tmp_path / "runs").read_text()) == 2  # not for each request
