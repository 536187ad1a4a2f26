"""Destruction as a chain of steps that can stop anywhere and go on (D7), from the intent to the certificate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from linkage import clock
from linkage.custody import faults, keys
from linkage.custody.destruction import originals, verification
from linkage.custody.evidence import certificate, ledger
from linkage.custody.models import CertificateRow, Holding, HoldingRow, KeyRow, StepRow
from linkage.custody.register import Register, row_of, rows_of
from linkage.custody.stores import objects, places
from linkage.custody.watch import derived
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused, LinkageError

_TOGETHER = 20  # intents in one transaction
STEPS = ("intent", "key", "inventory", "objects", "verified", "certified")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one holding: its certificate, or why there is none yet.

    `elsewhere`: another run destroyed it while this one waited for it, and certified it.
    """

    holding: Holding
    certificate: str | None
    error: str | None = None
    unreachable: bool = False
    elsewhere: bool = False


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
) -> Iterator[Outcome]:
    """Destroy several holdings, so that keys they share go with them. One that fails does not stop the others.

    Every intent stands before the first key goes; then each outcome comes as soon as there is one.
    """
    register, searched = Register.open(), _Derived()
    moment = horizon or clock.now()
    failed: dict[str, Outcome] = {}
    for start in range(0, len(holdings), _TOGETHER):
        some = holdings[start : start + _TOGETHER]
        refused = _intended(register, [one.id for one in some], reason, operator)
        failed |= {one.id: _failure(register, one, refused[one.id]) for one in some if one.id in refused}
    for holding in holdings:
        yield failed.get(holding.id) or _finish(register, holding, moment, searched)


class _Derived:
    """The search of derived stores, made once for all holdings of a run, and only when one of them needs it."""

    @cached_property
    def scan(self) -> derived.Scan:
        return derived.scan()

    def of(self, holding: Holding) -> derived.Scan:
        """What was found; a store that never held a key to a holding (a relay) can have derived nothing from it."""
        return self.scan if holding.kek is not None else derived.Scan((), ())


def _finish(register: Register, holding: Holding, horizon: datetime, searched: _Derived) -> Outcome:
    try:
        with register.alone(holding.id):
            known = register.certificate(holding.id)
            if known is not None:
                return Outcome(register.get(holding.id), known.id, elsewhere=True)
            _destroy_key(register, holding, horizon)
            _remove_objects(register, holding)
            _verify(register, holding, searched)
            issued = certificate.issue(register, holding.id)
            return Outcome(register.get(holding.id), issued)
    except LinkageError as error:
        return _failure(register, holding, error)


def _failure(register: Register, holding: Holding, error: LinkageError) -> Outcome:
    """An incident, once; the next run tries again. The register itself may be what cannot be reached."""
    unreachable = isinstance(error, DependencyUnreachable)
    kind = "destruction_delayed" if unreachable else "destruction_failed"
    with suppress(LinkageError):
        register.incident(kind, holding.id, str(error), holding.store)
    return Outcome(holding, None, str(error), unreachable)


def _intended(register: Register, holding_ids: Sequence[str], reason: str, operator: str) -> dict[str, LinkageError]:
    """Write the intents together; when that fails one by one, so that one that cannot be written keeps no other."""
    try:
        return _intend(register, holding_ids, reason, operator)
    except DependencyUnreachable as error:
        return dict.fromkeys(holding_ids, error)
    except LinkageError as error:
        if len(holding_ids) == 1:
            return {holding_ids[0]: error}
    refused: dict[str, LinkageError] = {}
    for one in holding_ids:
        refused |= _intended(register, [one], reason, operator)
    return refused


def _intend(register: Register, holding_ids: Sequence[str], reason: str, operator: str) -> dict[str, LinkageError]:
    """The intent rows: from here on the holdings cannot be read, and their destruction can only go forward.

    All in one transaction, for each waits for the disk. Returns why a holding was refused; the others go on (D12).
    """
    refused: dict[str, LinkageError] = {}
    with register.transaction() as session:
        entries = []
        for row in rows_of(session, holding_ids):
            if row.hold_until is not None and row.hold_until > clock.now() and row.state in ("writing", "held"):
                refused[row.id] = FlowRefused("D12", f"{row.id} is under a legal hold of {row.hold_authority}")
                continue
            if not _done(session, row.id, "intent"):
                _note(session, row.id, "intent", {"reason": reason, "operator": operator, "kek": row.kek})
                facts = {"holding": row.id, "store": row.store, "dataset_class": row.dataset_class, "reason": reason}
                entries.append(ledger.Entry("destruction_intended", facts, once=f"intended|{row.id}"))
            if row.state in ("writing", "held"):
                row.state = "destroying"
            faults.reach("intent_written")
        ledger.append_all(session, entries)
    faults.reach("after_intent")
    return refused


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
        faults.reach("key_step_written")
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
        faults.reach("after_kek_destroyed")
        if row.destroyed_at is None:
            row.destroyed_at = clock.now()
            under = session.scalars(select(HoldingRow.id).where(HoldingRow.kek == kek).order_by(HoldingRow.id)).all()
            facts = {"key": kek, "store": store, "holdings": list(under)}
            ledger.append(session, "key_destroyed", facts)
    return True


def _remove_objects(register: Register, holding: Holding) -> None:
    """Every version, marker and upload in every store, and the delivered originals. One store down leaves no other out.

    Done again until it is verified: something may have brought a copy back since.
    """
    steps = register.steps(holding.id)
    if "verified" in steps:
        return
    places.require_configured(holding)
    spots = places.spots_of(holding)
    listed: dict[places.Spot, list[objects.Version]] = {spot: [] for spot in spots}
    if "inventory" not in steps:
        steps["inventory"] = _count(register, holding, listed)
    before = {(one["place"], one["bucket"]): one for one in steps["inventory"]["spots"]}
    removed, failures = [], []
    originals_gone = originals.remove(holding)
    faults.reach("after_originals")
    for spot in spots:
        try:
            store = objects.client(holding.store, spot.place)
            purged = asdict(store.purge(spot.bucket, spot.prefix, listed.pop(spot)))
        except LinkageError as error:
            failures.append(error)
        else:
            # What an earlier run that died had removed already was counted before.
            known = before.get((spot.place, spot.bucket), purged)
            removed.append({**asdict(spot), **{kind: max(purged[kind], known[kind]) for kind in purged}})
            faults.reach("after_a_place")
    if failures:
        raise next((one for one in failures if not isinstance(one, DependencyUnreachable)), failures[0])
    counts = {kind: sum(one[kind] for one in removed) for kind in ("versions", "markers", "uploads")}
    counts["originals"] = max(originals_gone, steps["inventory"]["originals"])
    with register.transaction() as session:
        row_of(session, holding.id, lock=True)
        where = {"bucket": holding.bucket, "prefix": holding.prefix, "places": removed}
        _note(session, holding.id, "objects", {**counts, **where})
    faults.reach("after_objects")


def _count(register: Register, holding: Holding, listed: dict[places.Spot, list[objects.Version]]) -> dict[str, Any]:
    """What there is before the first deletion, so that a run that dies half-way does not lose the count (D9).

    What is found is put into `listed`, so that the deletion need not ask again.
    """
    told = []
    for spot, found in listed.items():
        with suppress(DependencyUnreachable):  # its copies are counted when they go
            counted = objects.client(holding.store, spot.place).inventory(spot.bucket, spot.prefix, found)
            told.append({**asdict(spot), **asdict(counted)})
    detail = {"spots": told, "originals": sum(file.files for file in originals.left(holding))}
    with register.transaction() as session:
        _note(session, holding.id, "inventory", detail)
    faults.reach("after_inventory")
    return detail


def _verify(register: Register, holding: Holding, searched: _Derived) -> None:
    """Independent verification; only what it confirms is called destroyed."""
    with register.transaction() as session:
        if _done(session, holding.id, "verified"):
            return
    told = verification.verify(register.get(holding.id), register.steps(holding.id), searched.of(holding))
    faults.reach("after_verification")
    with register.transaction() as session:
        row = row_of(session, holding.id, lock=True)
        row.state, row.destroyed_at = "destroyed", clock.now()
        seq = ledger.append(session, "destruction_verified", _facts(row, told), once=f"verified|{row.id}")
        _note(session, holding.id, "verified", {**told, "ledger_entry": seq})
        faults.reach("verified_written")
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
        "places": told["places"],
        "key": told["key"],
    }


def _done(session: Session, holding_id: str, step: str) -> bool:
    return session.get(StepRow, (holding_id, step)) is not None


def _note(session: Session, holding_id: str, step: str, detail: Mapping[str, Any]) -> None:
    if not _done(session, holding_id, step):
        session.add(StepRow(holding_id=holding_id, step=step, at=clock.now(), detail=dict(detail)))
