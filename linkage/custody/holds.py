"""Legal holds: a named authority, a scope, an expiry; they block destruction for everyone to see (D12)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from linkage import clock
from linkage.custody.evidence import ledger
from linkage.custody.evidence.batch_level import holds_nino
from linkage.custody.models import LIVE, Holding, HoldingRow
from linkage.custody.register import Register, row_of
from linkage.errors import CheckFailed, Misuse


def place(holding_id: str, authority: str, scope: str, until: datetime) -> Holding:
    """Put a holding under a legal hold, or move the end of the same authority's hold.

    Raises Misuse without an authority, a scope or an expiry to come (D12), and for a scope that quotes a NINO (D10);
    CheckFailed when destruction has begun, or when another authority's hold is in force: nobody ends it by accident.
    """
    if not authority.strip() or not scope.strip():
        raise Misuse("D12: a legal hold needs a named authority and a scope")
    if holds_nino(f"{authority} {scope}"):
        raise Misuse("D10: authority and scope of a legal hold name no person; refer to the order's own number")
    if until <= clock.now():
        raise Misuse("D12: a legal hold needs an expiry in the future")
    register = Register.open()
    with register.transaction() as session:
        row = row_of(session, holding_id, lock=True)
        if row.state not in ("writing", "held"):
            raise CheckFailed(f"{holding_id} is {row.state}; a hold comes too late")
        if blocks(Holding.of(row), clock.now()) and row.hold_authority != authority:
            raise CheckFailed(
                f"D12: {holding_id} is under a hold of {row.hold_authority} until {row.hold_until:%Y-%m-%d %H:%M} UTC; "
                "lift that one first, or place this one when it has ended"
            )
        row.hold_authority, row.hold_scope, row.hold_until = authority, scope, until
        facts = {"holding": holding_id, "store": row.store, "authority": authority, "until": until.isoformat()}
        beyond = row.legal.isoformat() if row.legal is not None and until > row.legal else None
        ledger.append(session, "hold_placed", {**facts, "breach_from": beyond})
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
    """Whether a hold in force keeps the holding from being destroyed. It ends by itself."""
    return holding.hold_until is not None and holding.hold_until > now and holding.state in ("writing", "held")


def outlasts_deadline(holding: Holding) -> bool:
    """Whether the hold goes on beyond the legal deadline: from then on it shows as a breach, for the notice allows none."""
    return holding.hold_until is not None and holding.legal is not None and holding.hold_until > holding.legal


def placed(now: datetime, ended: bool = False) -> list[Holding]:
    """The holdings under a hold in force, the earliest end first; with `ended`, also those whose hold has run out."""
    query = select(HoldingRow).where(HoldingRow.hold_until.is_not(None)).order_by(HoldingRow.hold_until, HoldingRow.id)
    if not ended:
        query = query.where(HoldingRow.hold_until > now, HoldingRow.state.in_(LIVE))
    with Register.open().transaction() as session:
        return [Holding.of(row) for row in session.scalars(query)]
