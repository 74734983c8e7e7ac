"""The parts of JupyterHub's REST API that the pool uses."""

from labpool.hub_api.client import HubClient, HubServer
from labpool.hub_api.errors import HubError, HubRefused, HubUnavailable

__all__ = ["HubClient", "HubError", "HubRefused", "HubServer", "HubUnavailable"]
