"""Run by Alembic: migrate over the connection that `schema.migrate` has opened, inside its transaction."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
