"""Alembic runs this for each migration; the connection comes from `labpool.store.database`."""

from alembic import context
from labpool.store.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
