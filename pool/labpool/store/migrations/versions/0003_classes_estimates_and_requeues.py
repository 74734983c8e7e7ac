"""Tickets have a priority class, a first estimate of their start, and may go back in line by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    op.add_column("tickets", sa.Column("priority", sa.String(length=16), nullable=False, server_default="interactive"))
    op.add_column("tickets", sa.Column("starts_again", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("tickets", sa.Column("likely_start", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Go back."""
    op.drop_column("tickets", "likely_start")
    op.drop_column("tickets", "starts_again")
    op.drop_column("tickets", "priority")
