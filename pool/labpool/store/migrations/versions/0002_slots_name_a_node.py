"""Slots name a node; which of its devices somebody gets is settled at the grant."""

import json
import socket

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema. Until now all devices were this machine's, or simulated with their node's name in the id."""
    op.add_column("slots", sa.Column("node", sa.String(length=255), nullable=True))
    slots = sa.table("slots", sa.column("ticket"), sa.column("devices"), sa.column("node"))
    connection = op.get_bind()
    for ticket, devices in connection.execute(sa.select(slots.c.ticket, slots.c.devices)).all():
        first = str((json.loads(devices) if isinstance(devices, str) else devices)[0])
        node = first.split(":")[1] if first.startswith("sim:") else socket.gethostname()
        connection.execute(slots.update().where(slots.c.ticket == ticket).values(node=node))
    with op.batch_alter_table("slots") as table:
        table.alter_column("node", existing_type=sa.String(length=255), nullable=False)
        table.drop_column("devices")


def downgrade() -> None:
    """Go back. Which devices a slot was for is not known any more; the pool finds places anew."""
    op.execute("DELETE FROM slots")
    with op.batch_alter_table("slots") as table:
        table.add_column(sa.Column("devices", sa.JSON(), nullable=False))
        table.drop_column("node")
