"""What admins said of machines and of the rules; keys of repeated requests; an index for lists."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    _create_acts(
        "withdrawals",
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("node", sa.String(length=255), nullable=False),
        sa.Column("device", sa.String(length=255), nullable=False),
    )
    _create_acts(
        "overrides",
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("flavour", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
    )
    op.create_table(
        "asked_once",
        sa.Column("user", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("ticket", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user", "key"),
    )
    op.create_index("asked_once_by_time", "asked_once", ["at"])
    op.add_column("tickets", sa.Column("moved_to", sa.DateTime(timezone=True), nullable=True))
    op.create_index("tickets_by_request", "tickets", ["requested_at", "id"])


def downgrade() -> None:
    """Go back. What was drained is in service again, and the file's rules hold."""
    op.drop_index("tickets_by_request", table_name="tickets")
    op.drop_column("tickets", "moved_to")
    op.drop_index("asked_once_by_time", table_name="asked_once")
    op.drop_table("asked_once")
    op.drop_table("overrides")
    op.drop_table("withdrawals")


def _create_acts(name: str, *what: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(length=32), nullable=False),
        *what,
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.Column("made_by", sa.String(length=255), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
