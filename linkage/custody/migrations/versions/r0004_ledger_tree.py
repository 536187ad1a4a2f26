"""The ledger keeps the heads of its complete subtrees: a head or a proof costs a few rows, however long it has grown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from linkage.custody.evidence import merkle
from linkage.custody.migrations import guards

revision = "0004"
down_revision = "0003"

_GUARD = next(guard for guard in guards.GUARDS if guard.name == "ledger_unchanged")
_AT_ONCE = 10_000


def upgrade() -> None:
    """Add the column and an index by kind, and work the subtrees of an existing ledger out from its leaf hashes."""
    op.add_column("ledger_entries", sa.Column("subtrees", sa.LargeBinary(), nullable=True))
    op.create_index("ix_ledger_kind", "ledger_entries", ["kind", "seq"], unique=False)
    connection = op.get_bind()
    if connection.scalar(sa.text("SELECT count(*) FROM ledger_entries")):
        _unguarded(connection)


def _unguarded(connection: sa.Connection) -> None:
    """The one change an append-only table ever sees: what can be worked out from it, written beside it."""
    on_postgresql = connection.dialect.name == "postgresql"
    off = "ALTER TABLE ledger_entries DISABLE TRIGGER" if on_postgresql else "DROP TRIGGER"
    on = f"ALTER TABLE ledger_entries ENABLE TRIGGER {_GUARD.name}" if on_postgresql else guards._sqlite(_GUARD)[0]
    connection.execute(sa.text(f"{off} {_GUARD.name}"))
    _fill(connection)
    connection.execute(sa.text(on))


def _fill(connection: sa.Connection) -> None:
    tree = merkle.Frontier()
    page = sa.text("SELECT seq, leaf_hash FROM ledger_entries WHERE seq >= :seq ORDER BY seq LIMIT :limit")
    keep = sa.text("UPDATE ledger_entries SET subtrees = :closed WHERE seq = :seq")
    while rows := connection.execute(page, {"seq": tree.size, "limit": _AT_ONCE}).all():
        closed = [{"seq": seq, "closed": b"".join(tree.add(bytes.fromhex(digest)))} for seq, digest in rows]
        told = [one for one in closed if one["closed"]]
        if told:
            connection.execute(keep, told)
