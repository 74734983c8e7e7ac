"""Notices of an estimate keep the start that they told."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    op.add_column("notices", sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Go back. What was told stays, without the time apart."""
    op.drop_column("notices", "starts_at")
