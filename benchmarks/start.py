"""How long does a person wait for labpool itself?

From `labpool run` to "is running" where setup is done and nothing is downloaded; from a press on Start to the ticket's
page in a real browser while all GPUs are leased; and from a `kill -9` of each part to everything working again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.real_hub import wait_until
from tests.running_lab import RunningLab, running_lab

ROUNDS = 5
ALL_GPUS = {"project": "vision", "profile": "gpu-4", "hours": 1}
CHROMIUM = "/usr/bin/chromium"


def main() -> None:
    """Measure and print one line for each question."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--full", action="store_true", help="15 rounds instead of 5")
    rounds = 3 * ROUNDS if arguments.parse_args().full else ROUNDS
    with tempfile.TemporaryDirectory(prefix="labpool-bench-") as folder, running_lab(Path(folder)) as lab:
        _print("start: a second `labpool run` to ready", [_restart(lab) for _ in range(rounds)], aim=10)
        _lease_all(lab)
        with _signed_in_page(lab, "bert") as page:
            _print("start: pressing Start to the ticket's page", [_press(lab, page) for _ in range(rounds)], aim=2)
        for part in ("hub", "pool", "logs", "proxy"):
            seconds = [_kill(lab, part) for _ in range(rounds)]
            _print(f"start: kill -9 of the {part} to all working again", seconds, aim=10)


def _restart(lab: RunningLab) -> float:
    lab.stop()
    return _seconds(lab.start)


def _lease_all(lab: RunningLab) -> None:
    for user in ("ada", "bert"):
        lab.signed_in(user)
    lab.start_server("ada", ALL_GPUS)
    lab.wait_ready("ada")


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
    lab.leave_queue("bert")
    return seconds


def _kill(lab: RunningLab, part: str) -> float:
    before = lab.pids(part)

    def recovered() -> bool:
        return lab.pids(part) not in ([], before) and _works(lab)

    lab.kill(part)
    return _seconds(lambda: wait_until(recovered, f"a new {part}", 60))


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


def _print(name: str, seconds: list[float], aim: float) -> None:
    median = statistics.median(seconds)
    line = {"name": name, "unit": "s", "ours": round(median, 2), "baseline": None, "ratio": None}
    line |= {"aim": f"<= {aim:g}", "met": median <= aim, "n": len(seconds)}
    print(json.dumps(line | {"spread": [round(min(seconds), 2), round(max(seconds), 2)]}), flush=True)


if __name__ == "__main__":
    main()
