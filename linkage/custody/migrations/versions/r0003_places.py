"""Where copies of a holding were written, and the guards that came with replicas and concurrent sweeps (D2, D4, D7)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from linkage.custody.migrations.guards import install

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Everything written so far lies in the primary store alone."""
    op.add_column("holdings", sa.Column("places", sa.String(length=200), nullable=False, server_default="primary"))
    install(op.get_bind(), revision)
