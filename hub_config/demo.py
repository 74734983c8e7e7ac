"""JupyterHub on one machine, as `labpool run` starts it: demo accounts, loopback only, everything in one data folder.

Assignments only. The folder and the ports come from the environment (LABPOOL_DATA, LABPOOL_PORT and its companions); a
broken pool.yaml stops the hub here with the words of `labpool check`.
"""

import os
import sys
from pathlib import Path

from gpuspawner.authenticator import DemoAuthenticator
from gpuspawner.hub_errors import HUB_MAJOR
from gpuspawner.local import SimpleLocalGPUSpawner
from gpuspawner.pages import TEMPLATES, template_vars
from gpuspawner.static_files import HubStaticFiles
from labpool.settings import Place, Ports, sound_pool_file

c = get_config()

place = Place.open(os.environ)
ports = Ports.read(os.environ)
pool_file = sound_pool_file(os.environ)
images = Path(__file__).resolve().parent.parent / "notebook_images"
first_files = images / "welcome"

# Addresses. The supervisor runs the proxy, so a restart of the hub cuts no connection to a Lab.
c.JupyterHub.bind_url = ports.public_url
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = ports.hub
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = ports.proxy_api_url
c.ConfigurableHTTPProxy.auth_token = place.secret("proxy_token")

# Data.
c.JupyterHub.db_url = f"sqlite:///{place.hub_db}"
c.JupyterHub.upgrade_db = True
c.JupyterHub.cookie_secret = bytes.fromhex(place.secret("hub_cookie"))

# People.
c.JupyterHub.authenticator_class = DemoAuthenticator
c.DemoAuthenticator.password = place.secret("demo_password")

# Servers. A Ctrl-C in the terminal stops them; a hub that was killed finds them again.
c.JupyterHub.spawner_class = SimpleLocalGPUSpawner
c.JupyterHub.allow_named_servers = True
c.JupyterHub.named_server_limit_per_user = 10
c.JupyterHub.cleanup_servers = True
c.SimpleLocalGPUSpawner.pool_url = ports.pool_url
c.SimpleLocalGPUSpawner.pool_token = place.secret("spawner_token")
c.SimpleLocalGPUSpawner.pool_id = place.pool_id
c.SimpleLocalGPUSpawner.pool_file = str(pool_file)
c.SimpleLocalGPUSpawner.data_folder = str(place.root)
c.SimpleLocalGPUSpawner.first_files = str(first_files) if first_files.is_dir() else ""
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = [
    "--ServerApp.jpserver_extensions={'labpool_logs.server_extension': True}",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.news_url=None",
    *(["--allow-root"] if os.geteuid() == 0 else []),  # a container's usual user
]
c.Spawner.environment = {"JUPYTER_CONFIG_PATH": str(images / "jupyter")}
c.Spawner.default_url = "/lab"
c.Spawner.poll_interval = 5
c.Spawner.http_timeout = 60

# Services of ours beside the hub. Without a url the hub doesn't wait for them at its start.
c.Proxy.extra_routes = {
    "/services/pool/": f"http://127.0.0.1:{ports.pool}",
    "/logs/": ports.logs_url,
}
c.JupyterHub.custom_scopes = {
    "custom:labpool:read": {"description": "See one's own GPU tickets and the state of the pool"},
    "custom:labpool:write": {"description": "Leave the queue, end a lease and the like, for one's own GPU tickets"},
    "custom:labpool:admin": {"description": "Run the pool: anybody's GPU tickets, machines, limits and reservations"},
    "custom:labpool:metrics": {"description": "Read the GPU pool's metrics, which name nobody"},
}
c.JupyterHub.services = [
    {
        "name": "pool",
        "api_token": place.secret("pool_token"),
        "oauth_client_id": "service-pool",
        "oauth_redirect_uri": "/services/pool/oauth_callback",
        "oauth_no_confirm": True,
        "oauth_client_allowed_scopes": ["custom:labpool:read", "custom:labpool:write", "custom:labpool:admin"],
    },
    {
        "name": "logs",
        "api_token": place.secret("logs_token"),
        "oauth_client_id": "service-logs",
        "oauth_redirect_uri": "/logs/oauth_callback",
        "oauth_no_confirm": True,
    },
    {"name": "supervisor", "api_token": place.secret("supervisor_token")},
    {"name": "operator", "api_token": place.secret("operator_token")},  # the `labpool` command on this machine
]
c.JupyterHub.load_roles = [
    {
        "name": "user",
        "scopes": [
            "self",
            "access:services!service=pool",
            "access:services!service=logs",
            "custom:labpool:read",
            "custom:labpool:write",
        ],
    },
    {"name": "labpool-admin", "scopes": ["custom:labpool:admin"], "users": ["admin"]},
    {
        "name": "pool",
        "scopes": ["list:users", "read:servers", "start:servers" if HUB_MAJOR >= 6 else "servers", "delete:servers"],
        "services": ["pool"],
    },
    {
        "name": "operator",
        "scopes": [
            "access:services!service=pool",
            "custom:labpool:read",
            "custom:labpool:write",
            "custom:labpool:admin",
        ],
        "services": ["operator"],
    },
    {"name": "supervisor", "scopes": ["proxy"], "services": ["supervisor"]},  # routes of a proxy that was restarted
]

# Pages.
c.JupyterHub.tornado_settings = {"static_handler_class": HubStaticFiles}
c.JupyterHub.template_paths = [TEMPLATES]
c.JupyterHub.template_vars = template_vars(ports.pool_url, place.secret("spawner_token"))
