"""Which file system a folder lies on. SQLite's locks and WAL need a local one (https://sqlite.org/wal.html)."""

from __future__ import annotations

import re
from pathlib import Path

NETWORK = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.ceph",
        "fuse.ceph-fuse",
        "fuse.glusterfs",
        "fuse.juicefs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
    }
)

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")


def network_file_system(folder: Path, mounts: Path = _MOUNTS) -> str | None:
    """The type of the network file system that holds `folder`, or None where it is local or unknown.

    `folder` need not exist yet; symbolic links on the way are followed. Format of `mounts`: proc_pid_mountinfo(5).
    """
    try:
        table = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # no Linux: nothing to tell by
        return None
    kind = _kind_at(folder.resolve(), table)
    return kind if kind in NETWORK else None


def _kind_at(folder: Path, table: str) -> str | None:
    deepest, kind = -1, None
    for line in table.splitlines():
        mount, _, source = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) < 5 or not source:
            continue
        point = Path(_ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        # of mounts over one another, the later line is the one seen
        if len(point.parts) >= deepest and folder.is_relative_to(point):
            deepest, kind = len(point.parts), source.split(" ")[0]
    return kind
