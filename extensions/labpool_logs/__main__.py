"""`python -m labpool_logs`: the logs gateway as a process; its settings come from the environment."""

from __future__ import annotations

import os
import sys

import uvicorn
from labpool.http_server import server_config
from labpool.log_lines import log_as_json_lines

from labpool_logs.gateway import GatewaySettings, InvalidGatewaySettings, make_app


def main() -> int:
    """Serve until SIGTERM or SIGINT.

    Returns:
        the exit code: 0, or 2 where a setting is missing or wrong.
    """
    log_as_json_lines()
    try:
        settings = GatewaySettings.from_environment(os.environ)
    except InvalidGatewaySettings as error:
        print(error, file=sys.stderr)
        return 2
    uvicorn.Server(server_config(make_app(settings), settings.host, settings.port)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
