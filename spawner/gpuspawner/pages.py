"""What labpool adds to the hub's own pages: templates, and one function that they call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files

from labpool.api_models import HomeView
from labpool.client import PoolError

from gpuspawner.claim import shared_client

TEMPLATES = str(files("gpuspawner") / "templates" / "hub")

HomeOf = Callable[[], Awaitable[HomeView | None]]


def template_vars(pool_url: str, pool_token: str, timeout: float = 1.0) -> dict[str, object]:
    """Values for `c.JupyterHub.template_vars`.

    `labpool_home()` in a template is the signed-in user's HomeView, None where the pool gives no answer within
    `timeout` seconds: a page never fails because the pool does.
    """
    client = shared_client(pool_url, pool_token, timeout)

    def labpool_home(user: object) -> HomeOf:
        # the hub calls this with its user for each page, also where nobody is signed in
        name = getattr(user, "name", "")

        async def home() -> HomeView | None:
            try:
                return await client.home(name) if name else None
            except PoolError:
                return None

        return home

    return {"labpool_home": labpool_home}
