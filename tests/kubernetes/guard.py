"""What ends a cluster whose owner was killed: it waits for the end of its input, which comes however the owner ends.

Runs as `python -m tests.kubernetes.guard FOLDER`; needs the standard library alone.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.kubernetes.pod_leftovers import end_leftovers


def main() -> None:
    """Wait, then end all processes of the cluster and remove its folder; an orderly end has left nothing to do."""
    folder = Path(sys.argv[1])
    sys.stdin.buffer.read()
    end_leftovers(folder)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
