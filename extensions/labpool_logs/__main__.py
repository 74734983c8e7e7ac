"""`python -m labpool_logs`: the logs gateway as a process; its settings come from the environment."""

from __future__ import annotations

import os
import sys

import uvicorn
from labpool.log_lines import log_as_json_lines

from labpool_logs.gateway import GatewaySettings, InvalidGatewaySettings, make_app

_SECONDS_TO_FINISH = 2


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
    uvicorn.run(
        make_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
