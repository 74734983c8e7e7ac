"""The audit trail is chained and names people by pseudonyms; GPU-hours are booked in a ledger."""

import re
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from alembic import op
from labpool.store.audit_chain import BEGINNING, hash_of
from labpool.store.models import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PARTS = ("pool", "planner", "engine")
_TRESPASSER = re.compile(r"^(process \d+ \(.*\) of )(.+)( uses \S+)$")

_AUDIT = sa.table(
    "audit",
    sa.column("id", sa.Integer),
    sa.column("at", UtcDateTime),
    sa.column("actor", sa.String),
    sa.column("ticket", sa.String),
    sa.column("event", sa.String),
    sa.column("detail", sa.Text),
    sa.column("hash", sa.String),
)
_PEOPLE = sa.table("people", sa.column("name", sa.String), sa.column("pseudonym", sa.String))
_DEVICES = sa.table("leased_devices", sa.column("lease", sa.Integer))
_LEASES = sa.table(
    "leases",
    sa.column("id", sa.Integer),
    sa.column("user", sa.String),
    sa.column("project", sa.String),
    sa.column("flavour", sa.String),
    sa.column("starts", UtcDateTime),
    sa.column("ends", UtcDateTime),
    sa.column("ended_at", UtcDateTime),
)
_LEDGER = sa.table(
    "ledger",
    sa.column("lease", sa.Integer),
    sa.column("kind", sa.String),
    sa.column("person", sa.String),
    sa.column("project", sa.String),
    sa.column("flavour", sa.String),
    sa.column("devices", sa.Integer),
    sa.column("rate", sa.BigInteger),
    sa.column("start", UtcDateTime),
    sa.column("end", UtcDateTime),
    sa.column("amount", sa.BigInteger),
)
_TICKETS = sa.table("tickets", sa.column("id", sa.String), sa.column("user", sa.String))


def upgrade() -> None:
    """Go to this schema.

    The rows of the audit trail are chained in their order, and people in them get pseudonyms. The leases that there
    were are booked; which charge they began with is not known, so each counts as 1.
    """
    op.create_table(
        "people",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("pseudonym", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("pseudonym"),
    )
    op.add_column("audit", sa.Column("hash", sa.String(length=64), nullable=True))
    op.add_column("leases", sa.Column("charge", sa.Double(), nullable=False, server_default="1"))
    _make_ledger()
    pseudonyms: dict[str, str] = {}
    _chain(op.get_bind(), pseudonyms)
    _book(op.get_bind(), pseudonyms)
    if pseudonyms:
        found = [{"name": name, "pseudonym": pseudonym} for name, pseudonym in pseudonyms.items()]
        op.get_bind().execute(_PEOPLE.insert(), found)
    with op.batch_alter_table("audit") as table:
        table.alter_column("hash", existing_type=sa.String(length=64), nullable=False)


def downgrade() -> None:
    """Go back: people stand in the trail under their names again, and nothing tells a row that was changed."""
    connection = op.get_bind()
    names = {pseudonym: name for name, pseudonym in connection.execute(sa.select(_PEOPLE)).all()}
    for number, actor, detail in connection.execute(sa.select(_AUDIT.c.id, _AUDIT.c.actor, _AUDIT.c.detail)).all():
        told = re.sub(r"p-[0-9a-f]{16}", lambda found: names.get(found[0], found[0]), detail)
        if actor in names or told != detail:
            row = _AUDIT.update().where(_AUDIT.c.id == number)
            connection.execute(row.values(actor=names.get(actor, actor), detail=told))
    op.drop_column("audit", "hash")
    op.drop_table("ledger")
    op.drop_column("leases", "charge")
    op.drop_table("people")


def _chain(connection: sa.engine.Connection, pseudonyms: dict[str, str]) -> None:
    users = dict(connection.execute(sa.select(_TICKETS.c.id, _TICKETS.c.user)).all())
    previous = BEGINNING.hash
    columns = (_AUDIT.c.id, _AUDIT.c.at, _AUDIT.c.actor, _AUDIT.c.ticket, _AUDIT.c.event, _AUDIT.c.detail)
    for place, (number, *said) in enumerate(connection.execute(sa.select(*columns).order_by(_AUDIT.c.id)).all(), 1):
        at, actor, ticket, event, detail = said
        detail = _without_names(event, detail, users.get(ticket), pseudonyms)
        actor = actor if actor in _PARTS else _of(actor, pseudonyms)
        previous = hash_of(previous, place, at, actor, ticket, event, detail)
        row = _AUDIT.update().where(_AUDIT.c.id == number)
        connection.execute(row.values(id=place, actor=actor, detail=detail, hash=previous))


def _make_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("flavour", sa.String(length=255), nullable=False),
        sa.Column("devices", sa.Integer(), nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["lease"], ["leases.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_ledger_lease", "ledger", ["lease"], unique=False)
    op.create_index("ledger_by_time", "ledger", ["kind", "start", "end"], unique=False)


def _book(connection: sa.engine.Connection, pseudonyms: dict[str, str]) -> None:
    """Book the leases that there are: holds, and settlements, refunds and overruns of those that are over."""
    devices = sa.select(sa.func.count()).where(_DEVICES.c.lease == _LEASES.c.id).scalar_subquery()
    for lease, count in connection.execute(sa.select(_LEASES.c.id, devices)).all():
        found = connection.execute(sa.select(_LEASES).where(_LEASES.c.id == lease)).one()
        spans = [("hold", found.starts, found.ends)]
        if found.ended_at is not None:
            until = min(max(found.ended_at, found.starts), found.ends)
            spans += [("settlement", found.starts, until), ("refund", until, found.ends)]
            spans += [("overrun", found.ends, found.ended_at)]
        row = {"lease": lease, "person": _of(found.user, pseudonyms), "project": found.project}
        row |= {"flavour": found.flavour, "devices": count, "rate": 1000 * count}
        for kind, start, end in spans:
            if start < end or kind == "settlement":
                units = _units(found.starts, count, end) - _units(found.starts, count, start)
                connection.execute(_LEDGER.insert().values(**row, kind=kind, start=start, end=end, amount=units))


def _units(since: datetime, devices: int, until: datetime) -> int:
    return 1000 * devices * ((until - since) // timedelta(microseconds=1)) // 1_000_000


def _without_names(event: str, detail: str, user: str | None, pseudonyms: dict[str, str]) -> str:
    """A detail as it is written from now on: with pseudonyms for the ticket's user and for a process's account."""
    if event == "trespasser" and (found := _TRESPASSER.match(detail)):
        return f"{found[1]}{_of(found[2], pseudonyms)}{found[3]}"
    if user and user in detail:
        return re.sub(rf"(?<!\w){re.escape(user)}(?!\w)", _of(user, pseudonyms), detail)
    return detail


def _of(name: str, pseudonyms: dict[str, str]) -> str:
    return pseudonyms.setdefault(name, f"p-{secrets.token_hex(8)}")
