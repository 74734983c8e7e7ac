"""The one client of the pool's API."""
