"""One lab for each module, and people with browsers of their own in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, StorageState, ViewportSize, expect

from tests.browser.person import Person, sign_in
from tests.clearing import clear
from tests.real_hub import wait_until
from tests.running_lab import POOL_YAML, RunningLab, running_lab

SignIn = Callable[..., Person]
SCREEN: ViewportSize = {"width": 1280, "height": 900}

expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A lab whose servers start in a blink. A module may name its own POOL, or SERVER = () for real JupyterLabs."""
    chosen: dict[str, object] = {"pool_yaml": getattr(request.module, "POOL", POOL_YAML)}
    chosen["hub_config"] = "c.Spawner.http_timeout = 60"  # no test here is about servers that never answer
    if hasattr(request.module, "SERVER"):
        chosen["server"] = request.module.SERVER
    with running_lab(tmp_path_factory.mktemp("lab"), **chosen) as lab:
        yield lab


@pytest.fixture(scope="module")
def sessions() -> dict[str, StorageState]:
    """Sessions of who has signed in at this module's lab."""
    return {}


@pytest.fixture
def person(lab: RunningLab, chromium: Browser, sessions: dict[str, StorageState]) -> Iterator[SignIn]:
    """Let people of the demo sign in; afterwards nothing of theirs runs or waits, and no script of ours failed."""
    contexts: list[BrowserContext] = []
    people: list[Person] = []

    def enter(name: str, anew: bool = False, **options: object) -> Person:
        session = None if anew else sessions.get(name)
        context = chromium.new_context(storage_state=session, viewport=SCREEN, **options)  # type: ignore[arg-type]
        contexts.append(context)
        newcomer = Person(name, lab, context, context.new_page())
        people.append(newcomer)
        if session is None:
            sign_in(newcomer)
        if not anew:
            sessions[name] = context.storage_state()
        return newcomer

    yield enter
    errors = [error for each in people for error in each.script_errors]
    for context in contexts:
        context.close()
    clear(lab)
    assert not errors, errors


@pytest.fixture
def ada(person: SignIn) -> Person:
    """A researcher of the vision group."""
    return person("ada")


@pytest.fixture
def bert(person: SignIn) -> Person:
    """A researcher of the speech group."""
    return person("bert")


@pytest.fixture
def all_leased(lab: RunningLab, ada: Person) -> Person:
    """Ada holds all four GPUs with her default server, and the pool has seen that it is ready."""
    ada.start("Four GPUs", hours="8")
    ada.page.wait_for_url(ada.in_server())
    wait_until(lambda: lab.home("ada").tickets[0].server_ready, "the pool's look at Ada's server")
    return ada
