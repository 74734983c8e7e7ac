"""The connection to an API server: a little server of the test's own answers, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from labpool.cluster import connected
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
    assert ([item["metadata"]["name"] for item in items], version) == (  # type: ignore[index]
        [f"pod-{number}" for number in range(pods)],
        "7",
    )
    assert sizes == ([_PAGE, 0, pods] if forgets else [_PAGE, _PAGE, 1])
