"""Triggers that hold D4, D7 and D11 in the database itself, on PostgreSQL and SQLite alike."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Guard:
    """A refusal: on which table and event, under which condition, with which message (rule ID first).

    `since` is the revision of the schema that brought it.
    """

    name: str
    table: str
    event: str
    condition: str
    message: str
    since: str = "0001"


_LATER_PARENT = """EXISTS (SELECT 1 FROM holdings p, holdings c
 WHERE p.id = NEW.parent_id AND c.id = NEW.child_id AND NOT c.reclassified
 AND p.legal IS NOT NULL AND p.legal < c.legal)"""

# What a rule brought nearer for its own sake (a list that a newer one replaced, D16) leaves alone what was made from it.
_MADE_FROM_IT = """EXISTS (SELECT 1 FROM holding_parents m JOIN holdings c ON c.id = m.child_id
 WHERE m.parent_id = NEW.id AND NOT c.reclassified AND c.state <> 'destroyed'
 AND (c.legal IS NULL OR c.legal > NEW.legal))"""

_VERIFIED = """EXISTS (SELECT 1 FROM holdings h JOIN destruction_steps s ON s.holding_id = h.id
 WHERE h.id = NEW.holding_id AND h.state = 'destroyed' AND s.step = 'verified')"""

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
    Guard(
        "source_not_before_derived",
        "holdings",
        "UPDATE",
        "NEW.legal IS NOT NULL AND (OLD.legal IS NULL OR NEW.legal < OLD.legal) AND NEW.superseded_by IS NULL AND "
        + _MADE_FROM_IT,
        "D4: earlier than what was made from it",
        "0003",
    ),
    Guard(
        "source_comes_after_derived",
        "holdings",
        "INSERT",
        f"NEW.legal IS NOT NULL AND {_MADE_FROM_IT}",
        "D4: a source that must go earlier than what was made from it",
        "0003",
    ),
    Guard("parents_unchanged", "holding_parents", "UPDATE", "TRUE", "D4: an origin is never changed", "0003"),
    Guard("parents_kept", "holding_parents", "DELETE", "TRUE", "D4: an origin is never forgotten", "0003"),
    Guard(
        "never_reclassified_later",
        "holdings",
        "UPDATE",
        "NEW.reclassified AND NOT OLD.reclassified",
        "D4: a holding is not reclassified afterwards",
        "0003",
    ),
    Guard(
        "clock_never_starts_again",
        "holdings",
        "UPDATE",
        "NEW.received_at > OLD.received_at",
        "D2: the clock never starts again",
        "0003",
    ),
    Guard(
        "erased_key_stays_erased",
        "holdings",
        "UPDATE",
        "OLD.state IN ('destroying', 'destroyed') AND OLD.wrapped_dek IS NULL AND NEW.wrapped_dek IS NOT NULL",
        "D7: an erased key does not come back",
        "0003",
    ),
    Guard("steps_unchanged", "destruction_steps", "UPDATE", "TRUE", "D7: a step that is done stays done", "0003"),
    Guard("steps_kept", "destruction_steps", "DELETE", "TRUE", "D7: a step that is done stays done", "0003"),
    Guard(
        "certificate_of_the_verified",
        "certificates",
        "INSERT",
        f"NOT {_VERIFIED}",
        "D7: nothing is certified that was not verified",
        "0003",
    ),
    Guard(
        "destroyed_key_stays_destroyed",
        "key_encryption_keys",
        "UPDATE",
        "OLD.destroyed_at IS NOT NULL AND NEW.destroyed_at IS NULL",
        "D6: a destroyed key does not come back",
        "0003",
    ),
    Guard("keys_kept", "key_encryption_keys", "DELETE", "TRUE", "D6: a key is destroyed, never forgotten", "0003"),
)


def install(connection: Connection, revision: str) -> None:
    """Create the guards that this revision of the schema brings."""
    make = _postgresql if connection.dialect.name == "postgresql" else _sqlite
    for guard in (one for one in GUARDS if one.since == revision):
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
