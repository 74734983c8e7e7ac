"""How long does a person wait for labpool itself?

From `make hub` to "is running" where setup is done, and what that downloads; from a press on Start to the ticket's page
in a real browser while all GPUs are leased; from a `kill -9` of each part, and of all of them together, to everything
working again with the same lease and the same place in line; and from the `kill -9` of a server, alone and together
with every part, to its devices' next holder.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import httpx
from labpool.client import PoolError
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.clearing import leave_queue
from tests.real_hub import REPOSITORY, wait_until
from tests.running_lab import POOL_YAML, RunningLab, running_lab
from tests.using import use

ROUNDS = 5
ALL_GPUS = {"project": "vision", "profile": "gpu-4", "hours": 1}
ONE_GPU = {"project": "speech", "profile": "gpu-1", "hours": 1}
PARTS = ("hub", "pool", "logs", "proxy")
CHROMIUM = "/usr/bin/chromium"
RESTART_SECONDS, RECONCILE_SECONDS = 6, 10
POOL = POOL_YAML.replace("reconcile_seconds: 0.5", f"reconcile_seconds: {RECONCILE_SECONDS}")
"""The tests' lab, looking round as seldom as a real one does; its restart_minutes are 0.1."""
HUB = "c.Spawner.poll_interval = 5"  # as hub_config/demo.py has it; the tests look more often


def main() -> None:
    """Measure and print one line for each question."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--full", action="store_true", help="15 rounds instead of 5")
    rounds = 3 * ROUNDS if arguments.parse_args().full else ROUNDS
    with (
        tempfile.TemporaryDirectory(prefix="labpool-bench-") as folder,
        running_lab(Path(folder), pool_yaml=POOL, hub_config=HUB) as lab,
    ):
        _start_again(lab, rounds)
        _lease_all(lab)
        with _signed_in_page(lab, "bert") as page:
            _print("start: pressing Start to the ticket's page", [_press(lab, page) for _ in range(rounds)], aim=2)
        lab.start_server("bert", ONE_GPU)
        for killed in (*((part,) for part in PARTS), PARTS):
            seconds = [_kill(lab, killed) for _ in range(rounds)]
            name = f"the {killed[0]}" if len(killed) == 1 else "all four at once"
            _print_slowest(f"start: kill -9 of {name} to all working again", seconds, aim=10)
        for killed in ((), PARTS):
            seconds = [_settle(lab, killed) for _ in range(rounds)]
            name = "a server and of all four parts" if killed else "a server"
            _print_slowest(
                f"start: kill -9 of {name} to the next holder's lease", seconds, aim=RESTART_SECONDS + RECONCILE_SECONDS
            )


def _start_again(lab: RunningLab, rounds: int) -> None:
    with _watched_way_out() as way_out:
        seconds = [_restart(lab, way_out.environment) for _ in range(rounds)]
        asked = way_out.asked
    _print("start: a second `make hub` to ready", seconds, aim=10)
    line = {"name": "start: connections to elsewhere during a second `make hub`", "unit": "", "ours": asked}
    line |= {"baseline": None, "ratio": None, "aim": "<= 0", "met": asked == 0, "n": rounds, "spread": None}
    print(json.dumps(line), flush=True)


def _restart(lab: RunningLab, way_out: Mapping[str, str]) -> float:
    lab.stop()
    lab.environ = way_out

    def make_hub() -> None:
        subprocess.run(["make", "setup"], cwd=REPOSITORY, env=lab.environment, check=True, stdout=subprocess.DEVNULL)
        lab.start()

    return _seconds(make_hub)


class _WayOut(socketserver.ThreadingTCPServer):
    """A web proxy that counts who asks it for anything, and lets nobody through: a download fails, and is seen."""

    daemon_threads = True
    asked = 0

    def process_request(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        """Count, and hang up."""
        self.asked += 1
        self.shutdown_request(request)

    @property
    def environment(self) -> dict[str, str]:
        """What leads a program's downloads here; addresses of this machine stay as they are."""
        address = f"http://127.0.0.1:{self.server_address[1]}"
        names = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
        lower = dict.fromkeys(names, address) | {"no_proxy": "127.0.0.1,localhost"}
        return lower | {name.upper(): value for name, value in lower.items()}


@contextmanager
def _watched_way_out() -> Iterator[_WayOut]:
    with _WayOut(("127.0.0.1", 0), socketserver.BaseRequestHandler) as way_out:
        threading.Thread(target=way_out.serve_forever, daemon=True).start()
        yield way_out
        way_out.shutdown()


def _lease_all(lab: RunningLab) -> None:
    for user in ("ada", "bert"):
        lab.signed_in(user)
    lab.start_server("ada", ALL_GPUS)
    lab.wait_ready("ada")
    use(lab, "ada")


@contextmanager
def _signed_in_page(lab: RunningLab, user: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{lab.url}/hub/login")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", lab.place.secret("demo_password"))
        page.click("input[type=submit]")
        page.wait_for_url("**/hub/**")
        yield page
        browser.close()


def _press(lab: RunningLab, page: Page) -> float:
    page.goto(f"{lab.url}/hub/spawn/bert")
    page.check("input[name=profile][value=gpu-1]:visible")
    page.fill("input[name=hours]", "1")

    def press() -> None:
        page.click("button[type=submit]:visible")
        page.wait_for_url("**/services/pool/tickets/**")

    seconds = _seconds(press)
    leave_queue(lab, "bert")
    return seconds


def _kill(lab: RunningLab, killed: Sequence[str]) -> float:
    before, standing = {part: lab.pids(part) for part in killed}, _standing(lab)

    def recovered() -> bool:
        now = {part: lab.pids(part) for part in killed}
        return all(len(now[part]) == 1 and now[part] != before[part] for part in killed) and _works(lab)

    for part in killed:
        lab.kill(part)
    seconds = _seconds(lambda: wait_until(recovered, f"a new {', '.join(killed)}", 60))
    if _standing(lab) != standing:
        raise SystemExit(f"kill -9 of {', '.join(killed)} lost something: {standing} became {_standing(lab)}")
    return seconds


def _standing(lab: RunningLab) -> dict[str, object]:
    """Who holds which devices, and who stands where in line."""
    tickets = {user: lab.ticket(user) for user in ("ada", "bert")}
    places = {user: (ticket.id, ticket.place) for user, ticket in tickets.items() if ticket}
    return {"leased": lab.leased(), "places": places}


def _settle(lab: RunningLab, killed: Sequence[str]) -> float:
    """Kill the server that holds all GPUs, and parts with it; then give everything back to where it was."""
    for part in killed:
        lab.kill(part)
    for pid in lab.labs():
        os.kill(pid, signal.SIGKILL)
    seconds = _seconds(lambda: wait_until(lambda: _leased_to(lab, "bert"), "the next holder's lease", 60))
    lab.wait_ready("bert")
    lab.stop_server("bert")
    _lease_all(lab)
    lab.start_server("bert", ONE_GPU)
    return seconds


def _leased_to(lab: RunningLab, user: str) -> bool:
    try:
        ticket = lab.ticket(user)
    except (httpx.HTTPError, PoolError):
        return False
    return ticket is not None and ticket.lease is not None


def _works(lab: RunningLab) -> bool:
    addresses = (f"{lab.url}/hub/health", f"{lab.url}/services/pool/healthz", f"{lab.url}/logs/healthz")
    try:
        answers = all(httpx.get(address, timeout=2, trust_env=False).is_success for address in addresses)
        return answers and bool(lab.told("ada"))
    except httpx.HTTPError:
        return False


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _print_slowest(name: str, seconds: list[float], aim: float) -> None:
    """An outage is judged by its longest, not by its median."""
    _print(f"{name}, slowest", seconds, aim, max(seconds))


def _print(name: str, seconds: list[float], aim: float, judged: float | None = None) -> None:
    judged = statistics.median(seconds) if judged is None else judged
    line = {"name": name, "unit": "s", "ours": round(judged, 2), "baseline": None, "ratio": None}
    line |= {"aim": f"<= {aim:g}", "met": judged <= aim, "n": len(seconds)}
    print(json.dumps(line | {"spread": [round(min(seconds), 2), round(max(seconds), 2)]}), flush=True)


if __name__ == "__main__":
    main()
