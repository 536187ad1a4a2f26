"""One database role per holder, which sees its own holder's rows of the register and no others (N3, N13).

The register's tables belong to `linkage`, as which the sandbox and the migrations run. A deployment of one holder runs as
`register_<holder>`: PostgreSQL's row-level security shows it the rows of its own stores. Shared are the names and dates of
keys, for senders must know them, and the ledger and the sweeps, which speak of batches only (D10). Nobody may delete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from linkage.stack.principals import HOLDERS

if TYPE_CHECKING:
    from sqlalchemy import Engine

_ME = "substr(current_user, 10)"
_OF_STORE = f"split_part(store, '-', 1) = {_ME}"
# Whoever sees a holding sees what hangs on it: the subquery is itself under row-level security.
_OF_HOLDING = "EXISTS (SELECT 1 FROM holdings h WHERE h.id = {column})"

OWN: dict[str, str] = {
    "holdings": f"holder = {_ME} AND {_OF_STORE}",
    "holding_parents": _OF_HOLDING.format(column="child_id"),
    "destruction_steps": _OF_HOLDING.format(column="holding_id"),
    "certificates": _OF_HOLDING.format(column="holding_id"),
    "incidents": f"store IS NULL OR {_OF_STORE}",
    "sent_transfers": _OF_STORE,
}
"""Tables of which a role sees its holder's rows, with the condition. An incident without a store is the deployment's."""

SHARED: tuple[str, ...] = ("key_encryption_keys", "ledger_entries", "sweeps")
"""Tables every role sees whole. Of the keys it may change its own stores' only."""


def role_of(holder: str) -> str:
    """Name of a holder's database role."""
    return f"register_{holder}"


def role_names() -> tuple[str, ...]:
    """Every holder's database role."""
    return tuple(role_of(holder) for holder in HOLDERS)


def apply(engine: Engine, schema: str = "public") -> None:
    """Give the holders' roles their views of the register's tables in `schema`; the roles are there. Idempotent.

    `engine` connects as the tables' owner. The guards run as that owner, so that they see every source of a holding (D4).
    """
    import hashlib

    from sqlalchemy import text

    from linkage.custody.migrations.guards import GUARDS

    roles = ", ".join(role_names())
    statements = [
        f"GRANT USAGE ON SCHEMA {schema} TO {roles}",
        f"GRANT SELECT ON register_version TO {roles}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {roles}",
    ]
    for table, mine in OWN.items():
        statements += _policies(table, roles, using=mine, check=mine)
    for table in SHARED:
        statements += _policies(
            table, roles, using="true", check=_OF_STORE if table == "key_encryption_keys" else "true"
        )
    guards = sorted({guard.name for guard in GUARDS})
    statements += [f"ALTER FUNCTION {name}() SECURITY DEFINER SET search_path = {schema}, pg_temp" for name in guards]
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL search_path = {schema}"))
        version = connection.scalar(text("SELECT version_num FROM register_version"))
        mark = hashlib.sha256("\n".join([str(version), *statements]).encode()).hexdigest()
        # Done before: a running deployment's tables are not locked for nothing.
        if connection.scalar(text("SELECT obj_description('register_version'::regclass)")) == mark:
            return
        for statement in [*statements, f"COMMENT ON TABLE register_version IS '{mark}'"]:
            connection.execute(text(statement))


def _policies(table: str, roles: str, using: str, check: str) -> list[str]:
    """Row-level security on one table: what a role sees, and what it may write. A sender notes a key of its recipient."""
    told = [f"GRANT SELECT, INSERT, UPDATE ON {table} TO {roles}", f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"]
    for verb, rule in (
        ("SELECT", f"USING ({using})"),
        ("INSERT", f"WITH CHECK ({'true' if table in SHARED else check})"),
        ("UPDATE", f"USING ({using}) WITH CHECK ({check})"),
    ):
        name = f"{table}_{verb.lower()}"
        told += [
            f"DROP POLICY IF EXISTS {name} ON {table}",
            f"CREATE POLICY {name} ON {table} FOR {verb} TO {roles} {rule}",
        ]
    return told
