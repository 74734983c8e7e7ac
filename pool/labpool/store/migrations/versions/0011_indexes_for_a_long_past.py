"""Indexes by which a person's or a project's past is found in that of all."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INDEXES = {
    "tickets_of_user": ("tickets", ["user", "requested_at", "id"]),
    "tickets_of_project": ("tickets", ["project", "requested_at", "id"]),
    "ledger_of_person": ("ledger", ["person", "start"]),
    "leases_by_end": ("leases", ["ended_at"]),
}


def upgrade() -> None:
    """Go to this schema. On two million leases it takes some seconds."""
    for name, (table, columns) in _INDEXES.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Go back; the same questions take longer."""
    for name, (table, _) in _INDEXES.items():
        op.drop_index(name, table_name=table)
