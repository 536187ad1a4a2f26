"""Triggers that hold D4, D7 and D11 in the database itself, on PostgreSQL and SQLite alike."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Guard:
    """A refusal: on which table and event, under which condition, with which message (rule ID first)."""

    name: str
    table: str
    event: str
    condition: str
    message: str


_LATER_PARENT = """EXISTS (SELECT 1 FROM holdings p, holdings c
 WHERE p.id = NEW.parent_id AND c.id = NEW.child_id AND NOT c.reclassified
 AND p.legal IS NOT NULL AND p.legal < c.legal)"""

GUARDS = (
    Guard("deadline_of_parent", "holding_parents", "INSERT", _LATER_PARENT, "D4: later than its source"),
    Guard(
        "deadline_never_later",
        "holdings",
        "UPDATE",
        "(OLD.legal IS NOT NULL AND (NEW.legal IS NULL OR NEW.legal > OLD.legal))"
        " OR (OLD.target IS NOT NULL AND (NEW.target IS NULL OR NEW.target > OLD.target))",
        "D4: a deadline never moves later",
    ),
    Guard(
        "destruction_never_undone",
        "holdings",
        "UPDATE",
        "(OLD.state = 'destroyed' AND NEW.state <> 'destroyed')"
        " OR (OLD.state = 'destroying' AND NEW.state NOT IN ('destroying', 'destroyed'))",
        "D7: a destruction is never undone",
    ),
    Guard("holding_outlives_data", "holdings", "DELETE", "TRUE", "D7: a holding is never deleted, only destroyed"),
    Guard("certificate_stays", "certificates", "UPDATE", "TRUE", "D7: a certificate is never changed"),
    Guard("certificate_kept", "certificates", "DELETE", "TRUE", "D7: a certificate is never deleted"),
    Guard("ledger_unchanged", "ledger_entries", "UPDATE", "TRUE", "D11: the ledger is append-only"),
    Guard("ledger_kept", "ledger_entries", "DELETE", "TRUE", "D11: the ledger is append-only"),
)


def install(connection: Connection) -> None:
    """Create every guard on this database."""
    make = _postgresql if connection.dialect.name == "postgresql" else _sqlite
    for guard in GUARDS:
        for statement in make(guard):
            connection.execute(text(statement))


def _sqlite(guard: Guard) -> list[str]:
    return [
        f"CREATE TRIGGER {guard.name} BEFORE {guard.event} ON {guard.table} WHEN {guard.condition} "
        f"BEGIN SELECT RAISE(ABORT, '{guard.message}'); END"
    ]


def _postgresql(guard: Guard) -> list[str]:
    row = "OLD" if guard.event == "DELETE" else "NEW"
    return [
        f"CREATE FUNCTION {guard.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {guard.condition} THEN RAISE EXCEPTION '{guard.message}' USING ERRCODE = 'check_violation'; END IF; "
        f"RETURN {row}; END $$",
        f"CREATE TRIGGER {guard.name} BEFORE {guard.event} ON {guard.table} "
        f"FOR EACH ROW EXECUTE FUNCTION {guard.name}()",
    ]
