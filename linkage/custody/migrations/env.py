"""Runs the register's migrations on the connection that `register.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from linkage.custody.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, version_table="register_version")
with context.begin_transaction():
    context.run_migrations()
