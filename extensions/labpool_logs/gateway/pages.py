"""The gateway's own pages, in the hub's look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from labpool.hub_signin import Refusal
from starlette.responses import HTMLResponse

from labpool_logs.gateway.log_store import ProjectSummary

# Our pages load from this host only; the hub's own scripts set styles on elements.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}


class Pages:
    """Renders the templates.

    Args:
        prefix: path under which the proxy routes here, with both slashes.
        hub_base_url: path of the hub's address, with both slashes.
    """

    def __init__(self, prefix: str, hub_base_url: str) -> None:
        self._templates = Environment(
            loader=PackageLoader("labpool_logs.gateway"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        addresses = {"prefix": prefix, "hub": f"{hub_base_url}hub/", "pool": f"{hub_base_url}services/pool/"}
        self._templates.globals |= addresses | {"user": ""}

    def projects(self, user: str, projects: Sequence[ProjectSummary], now: datetime) -> HTMLResponse:
        """Return the list of a user's projects."""
        rows = [(each, ago(each.last_event, now) if each.last_event else "") for each in projects]
        return self._page("projects.html", 200, user=user, rows=rows)

    def nothing_yet(self, user: str, project: str) -> HTMLResponse:
        """Return the page of a project in which nothing was logged; it looks again by itself."""
        return self._page("nothing_yet.html", 404, user=user, project=project)

    def refusal(self, refusal: Refusal) -> str:
        """Return the page that says why something isn't shown."""
        return self._templates.get_template("refusal.html").render(refusal=refusal)

    def _page(self, template: str, status: int, **values: object) -> HTMLResponse:
        return HTMLResponse(self._templates.get_template(template).render(**values), status, _HEADERS)


def ago(then: datetime, now: datetime) -> str:
    """Say how long ago something was, in the largest unit that fits."""
    seconds = int((now - then).total_seconds())
    if seconds < 60:
        return "just now"
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    raise AssertionError("a minute is the smallest unit")
