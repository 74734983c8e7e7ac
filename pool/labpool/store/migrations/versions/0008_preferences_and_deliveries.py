"""How users want to be told, and what is on its way to them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    op.create_table(
        "preferences",
        sa.Column("user", sa.String(length=255), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("unconfirmed", sa.String(length=254), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("email_kinds", sa.JSON(), nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=False),
        sa.Column("webhook_secret", sa.String(length=255), nullable=False),
        sa.Column("webhook_kinds", sa.JSON(), nullable=False),
        sa.Column("quiet_from", sa.String(length=5), nullable=False),
        sa.Column("quiet_to", sa.String(length=5), nullable=False),
        sa.Column("zone", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("user"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("notice", sa.Integer(), nullable=True),
        sa.Column("user", sa.String(length=255), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["notice"], ["notices.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    where = sa.text("done_at IS NULL")
    op.create_index("deliveries_to_send", "deliveries", ["way", "due_at"], sqlite_where=where, postgresql_where=where)
    op.create_index("deliveries_of_user", "deliveries", ["user", "made_at"])


def downgrade() -> None:
    """Go back. Addresses, secrets and what was not sent yet are forgotten."""
    op.drop_table("deliveries")
    op.drop_table("preferences")
