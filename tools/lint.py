"""Everything `make lint` checks; each check runs, also after one that failed."""

from __future__ import annotations

import subprocess
import sys
import time

CHECKS = {
    "rules": ["ruff", "check", "--quiet", "."],
    "format": ["ruff", "format", "--check", "--quiet", "."],
    "types": ["mypy"],
    "types of the tools": ["mypy", "conftest.py", "tools"],
    "layers": ["lint-imports"],
    "sizes and addresses": [sys.executable, "tools/house_rules.py"],
}


def passes(name: str, command: list[str]) -> bool:
    """Run one check and show its output if it fails."""
    began = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    verdict = "FAILED" if result.returncode else "ok"
    print(f"{name:<20} {verdict} ({time.monotonic() - began:.1f} s)", flush=True)
    if result.returncode:
        print(result.stdout + result.stderr, flush=True)
    return not result.returncode


def main() -> int:
    """Run all checks and count."""
    results = [passes(name, command) for name, command in CHECKS.items()]
    print(f"lint: {results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
