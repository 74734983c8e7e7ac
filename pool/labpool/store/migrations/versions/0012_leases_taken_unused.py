"""A lease says whether it was taken back before anybody had used it."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema. Of leases that are being taken back already it is not known; they count as used."""
    op.add_column("leases", sa.Column("taken_unused", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Go back."""
    op.drop_column("leases", "taken_unused")
