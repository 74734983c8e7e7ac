"""The data folder: everything that must outlive a restart on one machine, and the secrets among it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labpool.settings.file_systems import network_file_system
from labpool.settings.secret_files import SECRETS, UnusableSecret, read_or_create


class UnusablePlace(Exception):
    """The data folder can't be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """The data folder. `Place.open` makes it; its parts are named here and nowhere else."""

    root: Path

    @classmethod
    def open(cls, environ: Mapping[str, str]) -> Place:
        """The folder named by `LABPOOL_DATA`, else labpool in the XDG data folder, made ready for use.

        Folders and secrets that are missing are made; what is there stays. Several processes may open it at once.

        Raises:
            UnusablePlace: it lies on a network file system, or this user may not write there.
        """
        place = cls.named(environ)
        place._refuse_network()
        try:
            place._make_folders()
            for name in SECRETS:
                read_or_create(place.secrets / name)
        except OSError as error:
            raise UnusablePlace(
                f"Can't use the data folder {place.root}: {error.strerror or error} ({error.filename}). "
                "Expected a folder that this user may write to. Set LABPOOL_DATA to one, or change its owner."
            ) from error
        except UnusableSecret as error:
            raise UnusablePlace(str(error)) from error
        return place

    @classmethod
    def named(cls, environ: Mapping[str, str]) -> Place:
        """The same folder as it is, for one who only looks; it need not be there."""
        return cls(_root(environ))

    def secret(self, name: str) -> str:
        """The secret `name`, one of `SECRETS`, made at the first start and the same ever since.

        Raises:
            ValueError: no secret has this name.
            UnusablePlace: its file can't be read or holds too little.
        """
        if name not in SECRETS:
            raise ValueError(f"no secret is named {name!r}; expected one of {', '.join(SECRETS)}")
        try:
            return read_or_create(self.secrets / name)
        except (OSError, UnusableSecret) as error:
            raise UnusablePlace(f"Can't read the secret {name}: {error}") from error

    @property
    def hub_db(self) -> Path:
        """The hub's SQLite file."""
        return self.root / "hub.sqlite"

    @property
    def pool_db(self) -> Path:
        """The pool's SQLite file."""
        return self.root / "pool.sqlite"

    @property
    def audit_heads(self) -> Path:
        """File of the audit trail's last rows, hour by hour."""
        return self.root / "audit-heads"

    @property
    def secrets(self) -> Path:
        """Folder with one file for each secret, for this user's eyes only."""
        return self.root / "secrets"

    @property
    def homes(self) -> Path:
        """Folder of the users' home folders."""
        return self.root / "homes"

    @property
    def logs(self) -> Path:
        """Folder of the log store: user, project, run."""
        return self.root / "logs"

    @property
    def runtime(self) -> Path:
        """Folder of what servers and the pool tell each other while they run."""
        return self.root / "runtime"

    @property
    def log(self) -> Path:
        """Folder of the log files of the supervisor's children."""
        return self.root / "log"

    @property
    def lock(self) -> Path:
        """File that the one supervisor of this folder holds locked."""
        return self.root / "lock"

    @property
    def pool_id(self) -> str:
        """16 hexadecimal digits that tell this pool's processes from those of another pool on the same machine."""
        seed = f"{self.pool_db}{self.secret('ticket_key')}"
        return hashlib.sha256(seed.encode()).hexdigest()[:16]

    def home_of(self, user: str) -> Path:
        """Home folder of `user`; not made here.

        Raises:
            ValueError: the name can't be a folder's.
        """
        return self.homes / folder_name(user)

    def logs_of(self, user: str) -> Path:
        """Folder of `user` in the log store (`LABPOOL_LOGS`); not made here.

        Raises:
            ValueError: the name can't be a folder's.
        """
        return self.logs / folder_name(user)

    def runtime_of(self, user: str, server: str) -> Path:
        """Folder of one server's notices (`LABPOOL_RUNTIME`); `server` is "" for the default one. Not made here.

        Raises:
            ValueError: a name can't be a folder's.
        """
        return self.runtime / folder_name(user) / folder_name(server or "_")

    def _make_folders(self) -> None:
        for folder in (self.root, self.secrets, self.homes, self.logs, self.runtime, self.log):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.secrets.chmod(0o700)

    def _refuse_network(self) -> None:
        kind = network_file_system(self.root)
        if kind is not None:
            raise UnusablePlace(
                f"The data folder {self.root} lies on a network file system ({kind}), where SQLite can lose data. "
                "Expected a local disk. Set LABPOOL_DATA to a folder on one, for example /var/lib/labpool."
            )


def _root(environ: Mapping[str, str]) -> Path:
    named = environ.get("LABPOOL_DATA")
    if named:
        return Path(os.path.abspath(Path(named).expanduser()))  # noqa: PTH100 (resolve() would follow links)
    base = environ.get("XDG_DATA_HOME", "")
    # the XDG base directory specification: a relative path counts as not set
    return (Path(base) if base.startswith("/") else _home(environ) / ".local/share") / "labpool"


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def folder_name(name: str) -> str:
    """`name`, if it can be a folder's.

    Raises:
        ValueError: it can't.
    """
    if not name or name in {".", ".."} or "/" in name or "\0" in name or len(os.fsencode(name)) > 255:
        raise ValueError(f"{name!r} can't be a folder's name; expected 1 to 255 bytes without a slash")
    return name
