"""Legal holds: a named authority, a scope, an expiry; they block destruction for everyone to see (D12)."""

from __future__ import annotations

from datetime import datetime

from linkage import clock
from linkage.custody import ledger
from linkage.custody.models import Holding
from linkage.custody.register import Register, row_of
from linkage.errors import CheckFailed, Misuse


def place(holding_id: str, authority: str, scope: str, until: datetime) -> Holding:
    """Put a holding under a legal hold. Raises Misuse without an authority, a scope or an expiry to come (D12)."""
    if not authority.strip() or not scope.strip():
        raise Misuse("D12: a legal hold needs a named authority and a scope")
    if until <= clock.now():
        raise Misuse("D12: a legal hold needs an expiry in the future")
    register = Register.open()
    with register.transaction() as session:
        row = row_of(session, holding_id, lock=True)
        if row.state not in ("writing", "held"):
            raise CheckFailed(f"{holding_id} is {row.state}; a hold comes too late")
        row.hold_authority, row.hold_scope, row.hold_until = authority, scope, until
        facts = {"holding": holding_id, "store": row.store, "authority": authority, "until": until.isoformat()}
        ledger.append(session, "hold_placed", facts)
    return register.get(holding_id)


def lift(holding_id: str) -> Holding:
    """End a legal hold; the next sweep destroys what has fallen due meanwhile."""
    register = Register.open()
    with register.transaction() as session:
        row = row_of(session, holding_id, lock=True)
        if row.hold_until is None:
            raise CheckFailed(f"{holding_id} is under no legal hold")
        facts = {"holding": holding_id, "store": row.store, "authority": row.hold_authority}
        row.hold_authority, row.hold_scope, row.hold_until = None, None, None
        ledger.append(session, "hold_lifted", facts)
    return register.get(holding_id)


def blocks(holding: Holding, now: datetime) -> bool:
    """Whether a hold in force keeps the holding from being destroyed."""
    return holding.hold_until is not None and holding.hold_until > now and holding.state in ("writing", "held")
