"""A stand-in for the hub: it knows whose token is whose, and says that each server it is told to start is up.

A real hub would need minutes to make a thousand people with tokens, and starting servers is another benchmark's
question. Run with the port to listen on.
"""

from __future__ import annotations

import sys
from collections import defaultdict

import uvicorn
from fastapi import Depends, FastAPI, Request, Response

TOKEN_OF = "token-of-"
ADMIN = "the-admin"
_SCOPES = ["access:services!service=pool", "custom:labpool:read", "custom:labpool:write"]

_VERSION = "6.1.0"


async def say_version(response: Response) -> None:
    """As a hub does with each answer."""
    response.headers["X-JupyterHub-Version"] = _VERSION


app = FastAPI(dependencies=[Depends(say_version)])
_servers: defaultdict[str, dict[str, dict[str, object]]] = defaultdict(dict)


@app.get("/hub/api/")
async def version() -> dict[str, str]:
    """Which hub it stands for."""
    return {"version": _VERSION}


@app.get("/hub/api/user")
async def owner(request: Request) -> dict[str, object]:
    """The owner of a token, whose name is in the token."""
    name = request.headers["Authorization"].split(TOKEN_OF)[-1]
    scopes = [*_SCOPES, "custom:labpool:admin"] if name == ADMIN else _SCOPES
    return {"kind": "user", "name": name, "groups": [], "admin": name == ADMIN, "scopes": scopes}


@app.get("/hub/api/users")
async def users() -> list[dict[str, object]]:
    """All servers that were started and not stopped."""
    return [{"name": user, "servers": servers} for user, servers in _servers.items() if servers]


@app.post("/hub/api/users/{user}/servers/{name}", status_code=201)
async def start(user: str, name: str, request: Request) -> None:
    """A server is up at once."""
    options = (await request.json())["user_options"]
    _servers[user][name] = {"ready": True, "pending": None, "user_options": options}


@app.delete("/hub/api/users/{user}/servers/{name}", status_code=204)
async def stop(user: str, name: str) -> None:
    """And gone at once."""
    _servers[user].pop(name, None)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False)
