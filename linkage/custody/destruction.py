"""Destruction as a chain of steps that can stop anywhere and go on (D7): intent, key, objects, verified, certified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from linkage import clock
from linkage.custody import certificate, faults, keys, ledger, objects, verification
from linkage.custody.models import CertificateRow, Holding, HoldingRow, KeyRow, StepRow
from linkage.custody.register import Register, row_of
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused, LinkageError

STEPS = ("intent", "key", "objects", "verified", "certified")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one holding: its certificate, or why there is none yet."""

    holding: Holding
    certificate: str | None
    error: str | None = None
    unreachable: bool = False


def destroy(holding_id: str, reason: str, horizon: datetime | None = None, operator: str = "linkage") -> CertificateRow:
    """Destroy one holding now and return its certificate; called again, it goes on where it stopped (D7).

    A key-encryption key goes with the last holding under it once its date lies before `horizon` (default: now); until
    then the holding's own data key is erased, and the certificate says so. Raises FlowRefused (D12) under a legal
    hold, CheckFailed when verification fails, DependencyUnreachable.
    """
    register = Register.open()
    holding = register.get(holding_id)
    [outcome] = destroy_all([holding], reason, horizon, operator)
    if outcome.error is not None:
        raise DependencyUnreachable(outcome.error) if outcome.unreachable else CheckFailed(outcome.error)
    found = register.certificate(holding_id)
    if found is None:
        raise CheckFailed(f"{holding_id} has no certificate after its destruction (D7)")
    return found


def destroy_all(
    holdings: Sequence[Holding], reason: str, horizon: datetime | None = None, operator: str = "linkage"
) -> list[Outcome]:
    """Destroy several holdings, so that keys they share go with them. One that fails does not stop the others."""
    return list(_destroying(holdings, reason, horizon or clock.now(), operator))


def _destroying(holdings: Sequence[Holding], reason: str, horizon: datetime, operator: str) -> Iterable[Outcome]:
    register = Register.open()
    failed: dict[str, Outcome] = {}
    for holding in holdings:
        try:
            _intend(register, holding, reason, operator)
        except LinkageError as error:
            failed[holding.id] = _failure(register, holding, error)
    for holding in holdings:
        if holding.id not in failed:
            yield _finish(register, holding, horizon)
        else:
            yield failed[holding.id]


def _finish(register: Register, holding: Holding, horizon: datetime) -> Outcome:
    try:
        _destroy_key(register, holding, horizon)
        _remove_objects(register, holding)
        _verify(register, holding)
        issued = certificate.issue(register, holding.id)
    except LinkageError as error:
        return _failure(register, holding, error)
    return Outcome(register.get(holding.id), issued)


def _failure(register: Register, holding: Holding, error: LinkageError) -> Outcome:
    unreachable = isinstance(error, DependencyUnreachable)
    if not unreachable:
        register.incident("destruction_failed", holding.id, str(error), holding.store)
    return Outcome(holding, None, str(error), unreachable)


def _intend(register: Register, holding: Holding, reason: str, operator: str) -> None:
    """The intent row: from here on the holding cannot be read, and the destruction can only go forward."""
    with register.transaction() as session:
        row = row_of(session, holding.id, lock=True)
        if row.hold_until is not None and row.hold_until > clock.now() and row.state != "destroyed":
            raise FlowRefused("D12", f"{row.id} is under a legal hold of {row.hold_authority}")
        if not _done(session, row.id, "intent"):
            _note(session, row.id, "intent", {"reason": reason, "operator": operator, "kek": row.kek})
            ledger.append(
                session,
                "destruction_intended",
                {"holding": row.id, "store": row.store, "dataset_class": row.dataset_class, "reason": reason},
                once=f"intended|{row.id}",
            )
        if row.state in ("writing", "held"):
            row.state = "destroying"
    faults.reach("after_intent")


def _destroy_key(register: Register, holding: Holding, horizon: datetime) -> None:
    """Erase the holding's data key; destroy the key it was wrapped under when nothing else lives under it."""
    with register.transaction() as session:
        if _done(session, holding.id, "key"):
            return
    detail: dict[str, Any] = {"kek": holding.kek, "kek_destroyed": False}
    if holding.kek is not None:
        detail["kek_destroyed"] = destroy_kek(register, holding.kek, holding.store, horizon)
        faults.reach("after_kek_gone")
        if detail["kek_destroyed"] and holding.wrapped_dek:
            detail["unwrap_after"] = verification.unwrap_fails(holding)
            if not detail["unwrap_after"]:
                raise CheckFailed(f"{holding.id}: its data key still opens after the destruction of {holding.kek} (D7)")
    with register.transaction() as session:
        row = row_of(session, holding.id, lock=True)
        row.wrapped_dek, row.wrapped_secrets, row.content_mac = None, None, None
        _note(session, holding.id, "key", detail)
    faults.reach("after_key_step")


def destroy_kek(register: Register, kek: str, store: str, horizon: datetime) -> bool:
    """Destroy a key-encryption key now if its date lies before `horizon` and no holding lives under it; say whether.

    The key's row is locked meanwhile, so that nothing is put under a key that is about to go.
    """
    with register.transaction() as session:
        row = session.get(KeyRow, kek, with_for_update=True)
        if row is None or row.due_on is None or row.due_on > verification.london_date(horizon):
            return False
        living = session.scalar(
            select(func.count())
            .select_from(HoldingRow)
            .where(HoldingRow.kek == kek, HoldingRow.state.in_(("writing", "held")))
        )
        if living:
            return False
        keys.service(store).destroy_key(kek)
        if row.destroyed_at is None:
            row.destroyed_at = clock.now()
            under = session.scalars(select(HoldingRow.id).where(HoldingRow.kek == kek).order_by(HoldingRow.id)).all()
            facts = {"key": kek, "store": store, "holdings": list(under)}
            ledger.append(session, "key_destroyed", facts)
    return True


def _remove_objects(register: Register, holding: Holding) -> None:
    with register.transaction() as session:
        if _done(session, holding.id, "objects"):
            return
    purged = objects.client(holding.store).purge(holding.bucket, holding.prefix)
    counts = {"versions": purged.versions, "markers": purged.markers, "uploads": purged.uploads}
    with register.transaction() as session:
        row_of(session, holding.id, lock=True)
        _note(session, holding.id, "objects", {**counts, "bucket": holding.bucket, "prefix": holding.prefix})
    faults.reach("after_objects")


def _verify(register: Register, holding: Holding) -> None:
    """Independent verification; only what it confirms is called destroyed."""
    with register.transaction() as session:
        if _done(session, holding.id, "verified"):
            return
    told = verification.verify(register.get(holding.id), register.steps(holding.id))
    faults.reach("after_verification")
    with register.transaction() as session:
        row = row_of(session, holding.id, lock=True)
        row.state, row.destroyed_at = "destroyed", clock.now()
        seq = ledger.append(session, "destruction_verified", _facts(row, told), once=f"verified|{row.id}")
        _note(session, holding.id, "verified", {**told, "ledger_entry": seq})
    faults.reach("after_verified_entry")


def _facts(row: HoldingRow, told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "holding": row.id,
        "store": row.store,
        "dataset_class": row.dataset_class,
        "programme": row.programme,
        "rule": row.rule,
        "legal": row.legal.isoformat() if row.legal else None,
        "verifier": told["verifier"],
        "copies_left": told["copies_left"],
        "key": told["key"],
    }


def _done(session: Session, holding_id: str, step: str) -> bool:
    return session.get(StepRow, (holding_id, step)) is not None


def _note(session: Session, holding_id: str, step: str, detail: Mapping[str, Any]) -> None:
    if not _done(session, holding_id, step):
        session.add(StepRow(holding_id=holding_id, step=step, at=clock.now(), detail=dict(detail)))
