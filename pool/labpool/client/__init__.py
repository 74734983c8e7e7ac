"""The one client of the pool's API: `PoolClient` for async code, `SyncPoolClient` for the rest."""

from labpool.client.async_client import PoolClient
from labpool.client.errors import PoolError, PoolRefused, PoolUnavailable
from labpool.client.sync_client import SyncPoolClient

__all__ = ["PoolClient", "PoolError", "PoolRefused", "PoolUnavailable", "SyncPoolClient"]
