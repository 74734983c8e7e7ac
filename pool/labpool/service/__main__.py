"""`python -m labpool.service`: the pool of one machine, configured by its environment."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
import sys
from dataclasses import replace
from datetime import datetime, timezone

import uvicorn

from labpool.cluster import ClusterUnavailable
from labpool.domain.inventory import Inventory
from labpool.engines import Engine
from labpool.engines.choice import chosen_engine
from labpool.http_server import server_config
from labpool.hub_api import HubClient
from labpool.hub_signin import HubSignin, SigninSettings
from labpool.log_lines import log_as_json_lines
from labpool.service.app import PREFIX, make_app
from labpool.service.changed_estimates import ChangedEstimates
from labpool.service.changes import Changes
from labpool.service.desk import Desk
from labpool.service.file_keeper import FileKeeper
from labpool.service.first_estimates import FirstEstimates
from labpool.service.head_keeper import HeadKeeper
from labpool.service.leading import Activity, Leading
from labpool.service.line_keeper import LineKeeper
from labpool.service.nearing import Nearing
from labpool.service.parts import Parts
from labpool.service.reconciler import Reconciler
from labpool.service.second_place import second_place
from labpool.service.sending.post import Post
from labpool.service.setting import Setting
from labpool.service.ticket_tokens import TicketTokens
from labpool.service.viewing import Viewer
from labpool.settings import (
    InvalidPoolFile,
    InvalidSetting,
    NoticeSettings,
    Place,
    Ports,
    UnusablePlace,
    WatchedPoolFile,
    complete_catalogue,
    mail_password,
    pool_database,
    pool_file_path,
    watched_pool_file,
)
from labpool.store import Inbox, Store, UnusableDatabase, connect, leadership, migrate

_START_SECONDS = 30.0
"""So long Python doesn't look for garbage: a start makes much and drops little, and would take twice as long."""

_LOG = logging.getLogger("labpool.service")


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


def _given(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise InvalidSetting(f"{variable} is not set; `labpool run` sets it, elsewhere it is the service's own.")
    return value


def _own_name(ports: Ports) -> str:
    """A name that no other process has, and that tells an admin where to look."""
    return f"{socket.gethostname()}:{ports.pool}, process {os.getpid()}, {secrets.token_hex(4)}"


async def _parts(place: Place, ports: Ports, watched: WatchedPoolFile, engine: Engine, hub: HubClient) -> Parts:
    pool_file = watched.current(_LOG)
    inventory = await engine.inventory()

    def rules(devices: Inventory) -> Setting:
        in_use = watched.current(_LOG)
        return Setting(devices, complete_catalogue(in_use.catalogue, devices), in_use.sha256)

    if inventory.simulated:
        _LOG.warning("no GPU was found: the devices are simulated", extra={"simulated": len(inventory.devices)})
    changes = Changes()
    database = connect(pool_database(os.environ, place))
    migrate(database)
    part = leadership(database, _own_name(ports))
    desk = Desk(Store(database, part), rules(inventory), _utc_now, changes)
    hub_url, token = _given("JUPYTERHUB_API_URL"), _given("JUPYTERHUB_API_TOKEN")
    reconciler = Reconciler(desk, engine, hub, rules, pool_file.reconcile_seconds)
    signin = HubSignin(SigninSettings("pool", f"{PREFIX}/", hub_url, token, bytes.fromhex(place.secret("signin_key"))))
    tokens = TicketTokens(place.secret("ticket_key").encode())
    viewer = Viewer(desk, reconciler, pool_file.engine)
    heads = HeadKeeper(desk, second_place(pool_file.audit_heads, place.audit_heads))
    post = Post(
        desk,
        lambda: _with_public_url(watched.current(_LOG).notices, ports.public_url),
        lambda: mail_password(os.environ, place),
        place.secret("ticket_key").encode(),
    )
    activities: list[Activity] = [post, Nearing(desk), FirstEstimates(desk), ChangedEstimates(desk), heads]
    activities.append(FileKeeper(desk))
    if engine.line is not None:
        activities.append(LineKeeper(desk, engine.line, reconciler.look_soon))
    leading = Leading(part, reconciler, activities, end=lambda: signal.raise_signal(signal.SIGTERM))
    kept = (place.secret("spawner_token"), heads, watched, post, Inbox(database, part))
    return Parts(desk, viewer, reconciler, leading, changes, signin, tokens, *kept)


def _with_public_url(settings: NoticeSettings, own_url: str) -> NoticeSettings:
    return settings if settings.public_url else replace(settings, public_url=own_url)


async def _serve() -> None:
    place, ports = Place.open(os.environ), Ports.read(os.environ)
    watched = watched_pool_file(pool_file_path(os.environ))
    engine = await chosen_engine(lambda: watched.current(_LOG), place)
    hub = HubClient(_given("JUPYTERHUB_API_URL"), _given("JUPYTERHUB_API_TOKEN"))
    try:
        app = make_app(await _parts(place, ports, watched, engine, hub))
        asyncio.get_running_loop().call_later(_START_SECONDS, _look_for_garbage)
        config = server_config(app, "127.0.0.1", ports.pool)
        await uvicorn.Server(config).serve()
    finally:
        await hub.close()
        await engine.close()


def _look_for_garbage() -> None:
    gc.collect()
    gc.freeze()  # what is there by now stays; looking through it would take a tenth of a second each time
    gc.enable()


def main() -> int:
    """Serve until told to stop. Exit status 2: the settings can't be used; the log says why."""
    gc.disable()
    log_as_json_lines()
    try:
        asyncio.run(_serve())
    except (InvalidPoolFile, InvalidSetting, UnusablePlace, UnusableDatabase, ClusterUnavailable) as error:
        _LOG.error("%s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
