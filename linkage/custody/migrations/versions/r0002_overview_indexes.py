"""Indexes the Retention page reads by: what is held by deadline, what is gone by its day, what was made of what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The first two hold every column the page counts and filters by, so that a page in the middle reads no whole row."""
    op.create_index(
        "ix_holding_page", "holdings", ["legal", "id", "state", "holder", "dataset_class", "target", "hold_until"]
    )
    gone = sa.text("destroyed_at IS NOT NULL")
    op.create_index(
        "ix_holding_destroyed",
        "holdings",
        ["destroyed_at", "id", "holder", "dataset_class"],
        postgresql_where=gone,
        sqlite_where=gone,
    )
    op.create_index("ix_parent_child", "holding_parents", ["parent_id", "child_id"])
