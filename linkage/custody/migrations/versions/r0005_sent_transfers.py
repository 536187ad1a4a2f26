"""What a sender knows of its transfers: which manifests went, how often, and what the recipient answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from linkage.custody.models import Instant

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Transfers sent before are in the ledger only: nobody waits for an answer to them."""
    op.create_table(
        "sent_transfers",
        sa.Column("transfer", sa.String(length=40), nullable=False),
        sa.Column("store", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=32), nullable=False),
        sa.Column("via", sa.String(length=32), nullable=True),
        sa.Column("flow_id", sa.String(length=64), nullable=False),
        sa.Column("dataset_class", sa.String(length=64), nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("wave", sa.String(length=32), nullable=True),
        sa.Column("manifests", sa.JSON(), nullable=False),
        sa.Column("first_sent_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=False),
        sa.Column("forwarded_at", Instant(), nullable=True),
        sa.Column("answer", sa.String(length=12), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("answered_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("transfer"),
    )
    op.create_index("ix_sent_unanswered", "sent_transfers", ["store", "answer"], unique=False)
