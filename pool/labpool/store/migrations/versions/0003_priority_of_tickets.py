"""Tickets have a priority class; until now all were interactive."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    op.add_column("tickets", sa.Column("priority", sa.String(length=16), nullable=False, server_default="interactive"))


def downgrade() -> None:
    """Go back."""
    op.drop_column("tickets", "priority")
