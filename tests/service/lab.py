"""The pool and the hub together, as a researcher and an operator use them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

import httpx
from labpool.api_models import TicketView
from labpool.engines.proc import ProcessTable

from tests.real_hub import RealHub, wait_until
from tests.service.running_pool import RunningPool, server_path

SLEEP = "print(flush=True); import time; time.sleep(99)"


@dataclass
class Lab:
    """One pool before one hub."""

    pool: RunningPool
    hub: RealHub

    def start(
        self, user: str, profile: str = "gpu-1", name: str = "", hours: float = 1, project: str = "vision"
    ) -> httpx.Response:
        options = {"user_options": {"project": project, "profile": profile, "hours": hours}}
        return self.hub.api("POST", server_path(user, name), options)

    def stop(self, user: str, name: str = "") -> httpx.Response:
        answer = self.hub.api("DELETE", server_path(user, name))
        assert answer.status_code in {202, 204}, answer.text
        return answer

    def ticket_of(self, user: str) -> TicketView:
        (ticket,) = self.pool.tickets(user)
        return ticket

    def pids(self, ticket: TicketView) -> tuple[int, ...]:
        return self.pool.call(self.pool.engine.processes()).get(ticket.id, ())

    def pids_anywhere(self, ticket: TicketView) -> tuple[int, ...]:
        """Also where the pool does not run."""
        return ProcessTable(self.pool.place().pool_id).by_ticket().get(ticket.id, ())

    def until(self, ticket: TicketView, state: str, reason: str | None = None) -> TicketView:
        wait_until(lambda: self.pool.ticket(ticket.id).state == state, f"{state} for {ticket.id}")
        now = self.pool.ticket(ticket.id)
        assert now.end_reason == reason
        return now

    def until_failed(self, ticket: TicketView) -> None:
        wait_until(lambda: self.pool.ticket(ticket.id).state == "ended", "the last try's failure", 60)
        assert self.pool.ticket(ticket.id).end_reason == "failed"

    def until_ready(self, user: str) -> TicketView:
        """Wait until the user's server is up and, unless it was used before, its claim window runs."""
        wait_until(lambda: any(map(is_noted_ready, self.pool.tickets(user))), f"{user}'s server ready")
        return next(ticket for ticket in self.pool.tickets(user) if ticket.server_ready)

    def use(self, ticket: TicketView) -> None:
        """Use the server as a person does, which its own extension reports."""
        token = self.pool.token(ticket.id)
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.pool.url}/api/v1/tickets/{ticket.id}/claim"
        assert httpx.post(url, headers=headers, trust_env=False).status_code == 204

    def running(self, user: str, profile: str = "gpu-1", hours: float = 1, project: str = "vision") -> TicketView:
        """A server of `user` that was started and used."""
        assert self.start(user, profile, hours=hours, project=project).status_code in {201, 202}
        ticket = self.until_ready(user)
        self.use(ticket)
        return self.pool.ticket(ticket.id)


def is_noted_ready(ticket: TicketView) -> bool:
    """Whether the pool has also written down that the server is ready: until then the lease's end bounds the claim."""
    claimable = ticket.lease is not None and ticket.claim_by is not None and ticket.claim_by < ticket.lease.ends
    return ticket.server_ready and (ticket.state != "granted" or claimable)


def process_of(lab: Lab, ticket: TicketView, script: str) -> subprocess.Popen[str]:
    """A process that bears the ticket as everything that its server starts does."""
    environment = {"LABPOOL_TICKET": ticket.id, "LABPOOL_POOL": lab.pool.place().pool_id, "PATH": os.environ["PATH"]}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    wait_until(lambda: process.pid in lab.pids(ticket), "the process found")
    return process
