"""What can go wrong with a backup."""

from __future__ import annotations

from labpool.store.database import known_revisions


class BackupFailed(Exception):
    """No backup was made, or none was restored and nothing was changed; the message says why and what to do."""


def in_use(database: str, by: str) -> BackupFailed:
    """A pool works with the database."""
    return BackupFailed(f"{database} is in use by {by}. Stop the pool, restore, then start it again.")


def no_backup(source: object, why: str) -> BackupFailed:
    """A file that can't be restored."""
    return BackupFailed(
        f"{source} can't be restored: {why}. Expected a file that `labpool db backup` wrote from the same kind of "
        "database."
    )


def refuse_newer_backup(source: object, revision: str | None) -> None:
    """Restore nothing that this release can't read.

    Raises:
        BackupFailed: the backup's schema is none, or that of a newer release.
    """
    if revision is None:
        raise no_backup(source, "it holds no pool's store")
    if revision not in known_revisions():
        raise BackupFailed(
            f"{source} has the schema {revision}, which this release of labpool doesn't know: a newer one made it. "
            "Install that release, then restore."
        )
