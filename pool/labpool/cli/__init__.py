"""The `labpool` command."""

from labpool.cli.app import main

__all__ = ["main"]
