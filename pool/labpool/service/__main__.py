"""`python -m labpool.service`: the pool of one machine, configured by its environment."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import datetime, timezone

import uvicorn

from labpool.engines import WorkstationEngine
from labpool.hub_api import HubClient
from labpool.hub_signin import HubSignin, SigninSettings
from labpool.log_lines import log_as_json_lines
from labpool.service.app import PREFIX, make_app
from labpool.service.changes import Changes
from labpool.service.desk import Desk
from labpool.service.parts import Parts
from labpool.service.reconciler import Reconciler
from labpool.service.ticket_tokens import TicketTokens
from labpool.service.viewing import Viewer
from labpool.settings import (
    InvalidPoolFile,
    Place,
    Ports,
    UnusablePlace,
    complete_catalogue,
    load_pool_file,
    pool_file_path,
)
from labpool.store import Store, connect, migrate

_LOG = logging.getLogger("labpool.service")


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


async def _parts(place: Place) -> Parts:
    pool_file = load_pool_file(pool_file_path(os.environ))
    engine = WorkstationEngine(pool_file, place, place.pool_id)
    inventory = await engine.inventory()
    catalogue = complete_catalogue(pool_file.catalogue, inventory)
    if inventory.simulated:
        _LOG.warning("no GPU was found: the devices are simulated", extra={"simulated": len(inventory.devices)})
    changes = Changes()
    database = connect(f"sqlite:///{place.pool_db}")
    migrate(database)
    desk = Desk(Store(database), catalogue, inventory, _utc_now, changes)
    hub_url, token = os.environ["JUPYTERHUB_API_URL"], os.environ["JUPYTERHUB_API_TOKEN"]
    hub = HubClient(hub_url, token)
    reconciler = Reconciler(desk, engine, hub, pool_file.reconcile_seconds)
    signin = HubSignin(SigninSettings("pool", f"{PREFIX}/", hub_url, token, bytes.fromhex(place.secret("signin_key"))))
    tokens = TicketTokens(place.secret("ticket_key").encode())
    viewer = Viewer(desk, reconciler, pool_file.engine)
    return Parts(desk, viewer, reconciler, changes, signin, tokens, place.secret("spawner_token"))


async def _serve() -> None:
    place, ports = Place.open(os.environ), Ports.read(os.environ)
    app = make_app(await _parts(place))
    config = uvicorn.Config(
        app, host="127.0.0.1", port=ports.pool, log_config=None, access_log=False, timeout_graceful_shutdown=2
    )
    await uvicorn.Server(config).serve()


def main() -> int:
    """Serve until told to stop. Exit status 2: the settings can't be used; the log says why."""
    log_as_json_lines()
    try:
        asyncio.run(_serve())
    except (InvalidPoolFile, UnusablePlace) as error:
        _LOG.error("%s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
