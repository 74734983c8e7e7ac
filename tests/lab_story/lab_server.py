"""A researcher's own JupyterLab, used over its addresses behind the proxy with the researcher's token."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from labpool.api_models import NoticeView, TicketPage, TicketView

from tests.lab_story.kernel import Kernel, connected
from tests.real_hub import wait_until
from tests.running_lab import RunningLab

SLOW = 150.0
"""Seconds that a real JupyterLab may take to start on two busy cores."""

OPENED = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@dataclass(frozen=True)
class LabServer:
    """The default server of `user`, who is signed in and whose token is `token`."""

    lab: RunningLab
    user: str
    token: str

    @property
    def url(self) -> str:
        return f"{self.lab.url}/user/{self.user}/"

    @property
    def home(self) -> Path:
        """The user's home folder."""
        return self.lab.place.home_of(self.user)

    def notice(self) -> NoticeView | None:
        """What the server's own extension shows to programs in the server."""
        file = self.lab.place.runtime_of(self.user, "") / "notice.json"
        return NoticeView.model_validate_json(file.read_text(encoding="utf-8")) if file.exists() else None

    def start(self, project: str, profile: str, hours: float = 1) -> None:
        """Start over REST and wait until it takes requests."""
        answer = self.lab.start_server(self.user, {"project": project, "profile": profile, "hours": hours})
        assert answer.status_code in {201, 202}, answer.text
        wait_until(lambda: self.lab.is_ready(self.user), f"start of {self.user}'s JupyterLab", SLOW)

    def stop(self) -> None:
        """Stop it as its user does."""
        self.lab.stop_server(self.user)

    def ask(self, method: str, path: str, json: object = None, headers: dict[str, str] | None = None) -> httpx.Response:
        """Ask the Lab server itself."""
        signed = {"Authorization": f"token {self.token}"} | (headers or {})
        return httpx.request(method, self.url + path, json=json, headers=signed, timeout=60, trust_env=False)

    def get(self, path: str) -> Any:
        """What an address of the server's API says."""
        return self.ask("GET", path).raise_for_status().json()

    def open_lab(self) -> httpx.Response:
        """Open JupyterLab's page as a browser does that a person uses."""
        return self.ask("GET", "lab", headers=OPENED)

    @contextlib.contextmanager
    def kernel(self) -> Iterator[Kernel]:
        """Start a kernel and connect to it."""
        started = self.ask("POST", "api/kernels", json={"name": "python3"}).raise_for_status().json()
        with connected(self.url, started["id"], self.token) as kernel:
            yield kernel

    def tickets(self) -> list[TicketView]:
        """The user's tickets as the pool's API shows them to the user, newest first; ended ones too."""
        return [self._shown(each) for each in self._listed()]

    def ticket(self) -> TicketView:
        """The user's newest ticket."""
        return self._shown(self._listed()[0])

    def _listed(self) -> list[str]:
        page = TicketPage.model_validate_json(self._of_pool("tickets").content)
        return [each.id for each in page.tickets if each.user == self.user]

    def _shown(self, ticket: str) -> TicketView:
        return TicketView.model_validate_json(self._of_pool(f"tickets/{ticket}").content)

    def _of_pool(self, path: str) -> httpx.Response:
        address, headers = f"{self.lab.url}/services/pool/api/v1/{path}", {"Authorization": f"token {self.token}"}
        return httpx.get(address, headers=headers, timeout=20, trust_env=False).raise_for_status()


def lives(pid: int) -> bool:
    """Whether a process runs; one that nobody has collected yet doesn't."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
