"""How alembic runs our migrations: on the connection that `ops.migrations` hands over, in its transaction."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema="tape",
)
context.run_migrations()
