"""The audit trail is chained and names people by pseudonyms."""

import re
import secrets

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
_TICKETS = sa.table("tickets", sa.column("id", sa.String), sa.column("user", sa.String))


def upgrade() -> None:
    """Go to this schema. The rows that exist are chained in their order; people in them get pseudonyms."""
    op.create_table(
        "people",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("pseudonym", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("pseudonym"),
    )
    op.add_column("audit", sa.Column("hash", sa.String(length=64), nullable=True))
    _chain(op.get_bind())
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
    op.drop_table("people")


def _chain(connection: sa.engine.Connection) -> None:
    pseudonyms: dict[str, str] = {}
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
    if pseudonyms:
        found = [{"name": name, "pseudonym": pseudonym} for name, pseudonym in pseudonyms.items()]
        connection.execute(_PEOPLE.insert(), found)


def _without_names(event: str, detail: str, user: str | None, pseudonyms: dict[str, str]) -> str:
    """A detail as it is written from now on: with pseudonyms for the ticket's user and for a process's account."""
    if event == "trespasser" and (found := _TRESPASSER.match(detail)):
        return f"{found[1]}{_of(found[2], pseudonyms)}{found[3]}"
    if user and user in detail:
        return re.sub(rf"(?<!\w){re.escape(user)}(?!\w)", _of(user, pseudonyms), detail)
    return detail


def _of(name: str, pseudonyms: dict[str, str]) -> str:
    return pseudonyms.setdefault(name, f"p-{secrets.token_hex(8)}")
