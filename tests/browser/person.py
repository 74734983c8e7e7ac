"""A person before a real browser, and the waiting that comes with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.running_lab import RunningLab

SLOW = 40_000
"""Milliseconds within which a server of this machine has started, also on a busy one."""

ON_TICKET = re.compile(r"/services/pool/tickets/[0-9a-f]+$")


@dataclass
class Person:
    """Somebody with an account, signed in, in a browser of their own."""

    name: str
    lab: RunningLab
    context: BrowserContext
    page: Page
    script_errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.script_errors.append(str(error)))

    def open(self, path: str) -> Page:
        """Open an address in the page."""
        self.page.goto(self.lab.url + path)
        return self.page

    def form(self, server: str = "") -> Page:
        """Open the spawn form of a server."""
        return self.open(f"/hub/spawn/{self.name}" + (f"/{server}" if server else ""))

    def choose(self, profile: str, hours: str | None = None) -> None:
        """Choose a profile's card on the form that is open."""
        self.page.get_by_role("radio", name=profile).check()
        if hours is not None:
            self.page.get_by_label("Hours", exact=True).fill(hours)

    def start(self, profile: str, server: str = "", hours: str | None = None) -> None:
        """Choose a profile on the form of a server, and press Start."""
        self.form(server)
        self.choose(profile, hours)
        self.page.get_by_role("button", name="Start").click()

    def wait_in_line(self, profile: str = "One GPU", server: str = "") -> Locator:
        """Ask for GPUs that somebody else holds; give the live part of the ticket's page."""
        self.start(profile, server)
        self.page.wait_for_url(ON_TICKET)
        expect(self.ticket).to_contain_text("in line")
        return self.ticket

    def work_on_cpu_meanwhile(self) -> None:
        """Wait in line, start a CPU server of the same name, and come back to the ticket's page."""
        self.wait_in_line()
        address = self.page.url
        self.ticket.get_by_role("link", name="Work on CPU meanwhile").click()
        self.page.wait_for_url(self.in_server(), timeout=SLOW)
        self.page.goto(address)

    def in_server(self, server: str = "") -> Callable[[str], bool]:
        """Tell an address inside one of the person's servers."""
        own = f"{self.lab.url}/user/{self.name}/" + (f"{server}/" if server else "")
        return lambda url: url.startswith(own)

    @property
    def ticket(self) -> Locator:
        """The live part of a ticket's page."""
        return self.page.locator("#ticket")

    def mark(self) -> None:
        """Leave a mark in the page that a reload would wipe away."""
        self.page.evaluate("window.stayed = true")

    def stayed(self) -> bool:
        """Whether the page is still the one that was marked."""
        return self.page.evaluate("window.stayed === true") is True


def sign_in(person: Person) -> None:
    """Sign in on the hub's own page."""
    person.open("/hub/login")
    fill_in_sign_in(person)
    person.page.wait_for_url(lambda url: "/hub/login" not in url)


def fill_in_sign_in(person: Person) -> None:
    """Fill in the sign-in form that is shown, and send it."""
    person.page.get_by_label("Username").fill(person.name)
    person.page.locator("#password_input").fill(person.lab.place.secret("demo_password"))
    person.page.get_by_role("button", name="Sign in").click()
