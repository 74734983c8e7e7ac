"""What the pool asks the hub for, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from labpool.hub_api import HubClient, HubRefused, HubUnavailable

from tests.ports import free_ports

OPTIONS = {"project": "vision", "profile": "gpu-1", "hours": 2.0}


@dataclass
class Hub:
    """Answers as it is told, and notes what it was asked."""

    port: int
    version: str = "6.1.1"
    says_version: bool = True
    answer: Callable[[], web.Response] = lambda: web.json_response({}, status=201)
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[object] = field(default_factory=list)
    waits: float = 0.0

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.raw_path))
        await asyncio.sleep(self.waits)
        if request.raw_path == "/hub/api/":
            return web.json_response({"version": self.version})
        self.bodies.append(await request.json() if request.can_read_body else None)
        answer = self.answer()
        if self.says_version:
            answer.headers["X-JupyterHub-Version"] = self.version
        return answer

    def client(self, timeout: float = 20.0) -> HubClient:
        return HubClient(f"http://127.0.0.1:{self.port}/hub/api", "a-token", timeout)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    (port,) = free_ports(1)
    hub = Hub(port)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hub.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield hub
    await runner.cleanup()


async def test_start_gives_each_hub_the_options_as_it_reads_them_and_asks_for_its_version_once(hub: Hub) -> None:
    async with hub.client() as client:
        await client.start("ada", "", OPTIONS)
        await client.start("ada", "night", OPTIONS)
        hub.version = "5.5.0"
        await client.stop("ada", "night")  # its answer tells that it is another hub now
        await client.start("ada", "night", OPTIONS)
    assert [path for _, path in hub.asked].count("/hub/api/") == 1
    assert hub.bodies == [{"user_options": OPTIONS}, {"user_options": OPTIONS}, None, OPTIONS]


async def test_version_is_asked_for_again_after_no_answer(hub: Hub) -> None:
    async with hub.client(timeout=0.2) as client:
        await client.start("ada", "", OPTIONS)
        hub.waits = 5
        with pytest.raises(HubUnavailable, match="gives no answer"):
            await client.start("ada", "", OPTIONS)
        hub.waits = 0
        await client.start("ada", "", OPTIONS)
    assert [path for _, path in hub.asked].count("/hub/api/") == 2


async def test_names_stay_what_they_are_in_a_path(hub: Hub) -> None:
    async with hub.client() as client:
        await client.stop("a/b c%2F", "é?#")
    assert hub.asked == [("DELETE", "/hub/api/users/a%2Fb%20c%252F/servers/%C3%A9%3F%23")]


@pytest.mark.parametrize("status", [502, 504])
async def test_what_a_proxy_says_for_a_hub_that_is_not_there_is_no_refusal(hub: Hub, status: int) -> None:
    hub.answer = lambda: web.Response(status=status, text="no upstream")
    async with hub.client() as client:
        with pytest.raises(HubUnavailable, match=f"{status}: no upstream"):
            await client.start("ada", "", OPTIONS)


async def test_refusal_tells_the_hubs_words_and_our_reason(hub: Hub) -> None:
    refusal = {"status": 503, "message": "Wait for your turn."}
    hub.answer = lambda: web.json_response(refusal, status=503, headers={"Labpool-Reason": "queued"})
    async with hub.client() as client:
        with pytest.raises(HubRefused, match=r"503: Wait for your turn\.") as refused:
            await client.start("ada", "", OPTIONS)
    assert (refused.value.status, refused.value.reason) == (503, "queued")


async def test_stopping_a_server_that_does_not_run_is_no_error(hub: Hub) -> None:
    hub.answer = lambda: web.json_response({"message": "no such server"}, status=404)
    async with hub.client() as client:
        await client.stop("ada", "")


@pytest.mark.parametrize("text", ["<html>", '{"users": []}', "[{}]", '[{"name": ["ada"]}]'])
async def test_list_of_another_form_tells_nothing_about_any_server(hub: Hub, text: str) -> None:
    hub.answer = lambda: web.Response(text=text)
    async with hub.client() as client:
        with pytest.raises(HubUnavailable, match="unknown form") as told:
            await client.servers()
    assert "ada" not in str(told.value)


async def test_all_pages_of_servers_are_read(hub: Hub) -> None:
    servers = {"": {"ready": True}, "old": {}}
    pages = [
        {"items": [{"name": "ada", "servers": servers}], "pagination": {"next": {"offset": 200}}},
        {"items": [{"name": "bert", "servers": {"x": {"pending": "spawn"}}}], "pagination": {"next": None}},
    ]
    hub.answer = lambda: web.json_response(pages.pop(0))
    async with hub.client() as client:
        assert sorted(await client.servers()) == [("ada", ""), ("bert", "x")]
    assert hub.asked[1][1].endswith("offset=200")


async def test_redirect_is_no_answer_and_is_not_followed(hub: Hub) -> None:
    hub.answer = lambda: web.Response(status=302, headers={"Location": "/elsewhere"}, text="[]")
    async with hub.client() as client:
        with pytest.raises(HubUnavailable, match="302"):
            await client.servers()
    assert len(hub.asked) == 1
