"""The baseline: the rows that a request comes to, written by plain statements in one transaction, and nothing decided.

Run with a port, the URL of a database and that of the hub's API, it is a FastAPI route that does this for whom the hub
knows, asking the hub in the pool's own way.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta, timezone
from itertools import count
from threading import Lock
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Request
from labpool.api_models import ServerAsked
from labpool.domain.leases import Lease
from labpool.domain.ledger import opened
from labpool.domain.notices import NoticeKind
from labpool.domain.tickets import State, Ticket
from labpool.hub_signin import HubSignin, SignedIn, SigninSettings
from labpool.store import connect, migrate, rows
from labpool.store.audit_chain import BEGINNING
from labpool.store.models import (
    AuditRow,
    Base,
    LeasedDeviceRow,
    LeaseRow,
    LedgerRow,
    NoticeRow,
    SlotRow,
    TicketRow,
)
from sqlalchemy import Connection, Engine, create_engine, insert, make_url

GRANTED, QUEUED = "granted", "queued"
Made = dict[str, str]
_DETAIL = "queued, attempt 1"


class BareWriter:
    """Writes what one request comes to, `granted` or `queued`, into a database of its own.

    Several threads may write at once; where the database lets only one write they wait for each other without polling.
    """

    def __init__(self, url: str) -> None:
        self.engine = _bare_engine(url)
        self._turn: AbstractContextManager[object] = Lock() if self.engine.dialect.name == "sqlite" else nullcontext()
        self._requests, self._audited = count(1), count(1)

    def write(self, kind: str, user: str, asked: ServerAsked) -> str:
        """Write all of it, on disk when this returns; give the ticket's id."""
        number = next(self._requests)
        now = datetime.now(timezone.utc)
        ticket = _ticket(kind, f"{number:016x}", user, asked, now)
        with self._turn, self.engine.begin() as connection:
            _insert(connection, TicketRow, rows.ticket_columns(ticket))
            self._audit(connection, ticket, user, "filed")
            if kind == GRANTED:
                self._lease(connection, ticket, number, now)
            else:
                slot = {"ticket": ticket.id, "node": "n0", "start": now, "end": now + ticket.duration}
                _insert(connection, SlotRow, slot)
        return ticket.id

    def _lease(self, connection: Connection, ticket: Ticket, number: int, now: datetime) -> None:
        who = (ticket.id, ticket.user, ticket.name, ticket.project, ticket.flavour)
        lease = Lease(*who, (f"device-{number}",), now, now + ticket.duration)
        table = LeaseRow.__table__
        written = connection.execute(table.insert().returning(table.c.id), dict(rows.lease_columns(lease)))
        lease_id = written.scalar_one()
        _insert(connection, LeasedDeviceRow, *rows.device_columns(lease_id, lease))
        booked = (rows.ledger_columns(lease_id, lease, ticket.user, posting) for posting in opened(lease))
        _insert(connection, LedgerRow, *booked)
        self._audit(connection, ticket, "planner", "granted")
        notice = {"ticket": ticket.id, "key": "granted", "kind": NoticeKind.GRANTED.value, "at": now}
        _insert(connection, NoticeRow, notice | {"message": "It is your turn.", "ends_at": lease.ends})

    def _audit(self, connection: Connection, ticket: Ticket, actor: str, event: str) -> None:
        row = {"id": next(self._audited), "at": ticket.requested_at, "actor": actor, "ticket": ticket.id}
        _insert(connection, AuditRow, row | {"event": event, "detail": _DETAIL, "hash": BEGINNING.hash})


def _ticket(kind: str, number: str, user: str, asked: ServerAsked, now: datetime) -> Ticket:
    what = (asked.name, asked.project, asked.profile, "gpu", 1, timedelta(hours=asked.hours), now)
    state = State.GRANTED if kind == GRANTED else State.QUEUED
    return Ticket(number, user, frozenset(), *what, state=state, starts_by=now, likely_start=now, changed_at=now)


def _insert(connection: Connection, kind: type[Base], *values: rows.Columns) -> None:
    connection.execute(insert(kind), [dict(each) for each in values])


def _bare_engine(url: str) -> Engine:
    """As durable as the pool's own; where several may write at once, they do."""
    ours = connect(url)
    migrate(ours)
    if ours.dialect.name == "sqlite":
        return ours
    ours.dispose()
    plain = make_url(url).set(drivername="postgresql+psycopg")
    return create_engine(plain, pool_size=16, connect_args={"options": "-c synchronous_commit=on"})


async def person(request: Request) -> SignedIn:
    """Who asks, found as the pool finds it."""
    signin: HubSignin = request.app.state.signin
    return await signin.require_user(request)


def create(kind: str, asked: ServerAsked, request: Request, user: Annotated[SignedIn, Depends(person)]) -> Made:
    """Write what a request of this kind comes to."""
    writer: BareWriter = request.app.state.writer
    return {"id": writer.write(kind, user.name, asked)}


def bare_app(writer: BareWriter, signin: HubSignin) -> FastAPI:
    """The one route."""
    app = FastAPI()
    app.state.writer, app.state.signin = writer, signin
    signin.install(app)
    app.post("/{kind}", status_code=201)(create)
    return app


def main(port: str, database: str, hub: str) -> None:
    """Serve until told to stop."""
    settings = SigninSettings("pool", "/services/pool/", hub, "a-token-that-the-stand-in-takes", bytes(32))
    app = bare_app(BareWriter(database), HubSignin(settings))
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_config=None, access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
