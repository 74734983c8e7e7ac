"""The one client of the pool's API: `PoolClient` for async code, `SyncPoolClient` for the rest."""

from labpool.client.clients import PoolClient, SyncPoolClient
from labpool.client.errors import PoolError, PoolRefused, PoolUnavailable

__all__ = ["PoolClient", "PoolError", "PoolRefused", "PoolUnavailable", "SyncPoolClient"]
