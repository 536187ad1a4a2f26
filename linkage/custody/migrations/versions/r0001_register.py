"""The register as first built: holdings, parents, keys, destruction, certificates, ledger, sweeps, incidents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from linkage.custody.migrations.guards import install
from linkage.custody.models import Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables, then the guards that keep deadlines and the ledger from being softened."""
    op.create_table(
        "holdings",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("store", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=16), nullable=False),
        sa.Column("dataset_class", sa.String(length=64), nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("wave", sa.String(length=32), nullable=True),
        sa.Column("label", sa.String(length=120), nullable=True),
        sa.Column("natural_key", sa.String(length=200), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("lawful_basis", sa.Text(), nullable=True),
        sa.Column("flow_id", sa.String(length=64), nullable=True),
        sa.Column("transfer_id", sa.String(length=64), nullable=True),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("target", Instant(), nullable=True),
        sa.Column("legal", Instant(), nullable=True),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("reclassified", sa.Boolean(), nullable=False),
        sa.Column("bucket", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=120), nullable=False),
        sa.Column("attempt", sa.String(length=32), nullable=True),
        sa.Column("kek", sa.String(length=64), nullable=True),
        sa.Column("wrapped_dek", sa.Text(), nullable=True),
        sa.Column("wrapped_secrets", sa.JSON(), nullable=True),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("content_mac", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("destroyed_at", Instant(), nullable=True),
        sa.Column("superseded_by", sa.String(length=40), nullable=True),
        sa.Column("hold_authority", sa.String(length=120), nullable=True),
        sa.Column("hold_scope", sa.Text(), nullable=True),
        sa.Column("hold_until", Instant(), nullable=True),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint("rows IS NULL OR holder NOT IN ('dwp','moj','dfe')", name="ck_holding_no_person_count"),
        sa.CheckConstraint("state <> 'destroyed' OR wrapped_dek IS NULL", name="ck_holding_key_gone"),
        sa.CheckConstraint("state IN ('writing','held','destroying','destroyed')", name="ck_holding_state"),
        sa.CheckConstraint("legal IS NOT NULL OR reclassified", name="ck_holding_deadline"),
        sa.CheckConstraint("target IS NULL OR legal IS NULL OR target <= legal", name="ck_holding_target"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("store", "natural_key", name="uq_holding_natural_key"),
    )
    op.create_index("ix_holding_due", "holdings", ["state", "target"], unique=False)
    op.create_index("ix_holding_kek", "holdings", ["kek", "state"], unique=False)
    op.create_index(op.f("ix_holdings_content_mac"), "holdings", ["content_mac"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("store", sa.String(length=32), nullable=True),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "subject", name="uq_incident"),
    )
    op.create_table(
        "key_encryption_keys",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("store", sa.String(length=32), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("destroyed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("once", sa.String(length=120), nullable=True),
        sa.Column("leaf", sa.Text(), nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("once"),
    )
    op.create_table(
        "sweeps",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("as_of", Instant(), nullable=False),
        sa.Column("reported_at", Instant(), nullable=False),
        sa.Column("horizon", Instant(), nullable=False),
        sa.Column("stores", sa.Text(), nullable=False),
        sa.Column("due", sa.Integer(), nullable=False),
        sa.Column("destroyed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("blocked", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "certificates",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("holding_id", sa.String(length=40), nullable=False),
        sa.Column("issued_at", Instant(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["holding_id"],
            ["holdings.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("holding_id"),
    )
    op.create_table(
        "destruction_steps",
        sa.Column("holding_id", sa.String(length=40), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["holding_id"],
            ["holdings.id"],
        ),
        sa.PrimaryKeyConstraint("holding_id", "step"),
    )
    op.create_table(
        "holding_parents",
        sa.Column("child_id", sa.String(length=40), nullable=False),
        sa.Column("parent_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["holdings.id"],
        ),
        sa.PrimaryKeyConstraint("child_id", "parent_id"),
    )
    install(op.get_bind(), revision)
