"""The web service at /logs/: each researcher's own TensorBoards, and nobody else's."""

from labpool_logs.gateway.app import make_app
from labpool_logs.gateway.settings import GatewaySettings, InvalidGatewaySettings

__all__ = ["GatewaySettings", "InvalidGatewaySettings", "make_app"]
