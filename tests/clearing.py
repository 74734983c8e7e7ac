"""Leaving a running lab as a test found it: no server runs, nobody waits, no GPU is leased."""

from __future__ import annotations

from tests.real_hub import wait_until
from tests.running_lab import PEOPLE, RunningLab


def clear(lab: RunningLab) -> None:
    """End all servers and tickets of the demo's people."""
    for user in PEOPLE:
        leave_queue(lab, user)  # or the end of one's server would start another's
        turn_down(lab, user)  # or the end of a CPU server would start the one that it keeps waiting
    wait_until(lambda: _all_ended(lab), "the end of all leases")


def _all_ended(lab: RunningLab) -> bool:
    """End what runs now, among it what the pool has started again meanwhile; say whether that was all."""
    for user in PEOPLE:
        for name in lab.servers(user):
            _end(lab, user, name)
    return not lab.leased()


def leave_queue(lab: RunningLab, user: str) -> None:
    """Take all waiting tickets of a user out of the queue."""
    for ticket in lab.home(user).tickets:
        if ticket.lease is None:
            lab.steer(ticket, "leave")


def turn_down(lab: RunningLab, user: str) -> None:
    """Give back what the user was granted and what waits for another server to be stopped."""
    for ticket in lab.home(user).tickets:
        if ticket.needs_switch or ticket.stop_one_of:
            lab.steer(ticket, "end").raise_for_status()


def _end(lab: RunningLab, user: str, name: str) -> None:
    wait_until(lambda: not lab.servers(user).get(name, {}).get("pending"), f"an end of {user}'s {name!r}")
    lab.stop_server(user, name)
