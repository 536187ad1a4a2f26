"""Check one delivery from bytes to verdict: accepted rows, quarantined rows, or a reason to refuse or hold the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import polars as pl

from linkage.errors import CheckFailed
from linkage.feeds import drift, loading, masks, quarantine, reading, text_file
from linkage.feeds.contract import Contract
from linkage.feeds.drift import Previous
from linkage.feeds.flags import count_flags
from linkage.feeds.manifest import check_manifest
from linkage.feeds.text_file import ROW_NO, TextFile

_LARGE = 16 * 2**20
"""Bytes of a file that take about as long to read as Great Expectations takes to import."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault: the row (1 is below the header), the contract's column or None for the whole row, the reason code."""

    row: int
    column: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class CheckedDelivery:
    """What became of a delivery. Frames hold data; everything else is counts, codes and column names.

    refused: reason the whole file is refused (`where`: the column or record, also of what is held); then both frames are empty.
    held: reason a person must look first; then nothing is accepted, and quarantined tells which rows are broken.
    accepted: row_no and the kept columns, typed, with `<identifier>_invalid` flags (N3).
    quarantined: row_no, column, reason, raw and every delivered column as text; one row per broken row.
    violations: every fault, values left out. rows: records the file holds. gate: outcome of the suite, if it ran.
    filled: share of rows in which each column that may be empty is not. shifts: how far each column's codes have moved
    from the delivery before, 0 to 1.
    """

    feed: str
    contract: str
    accepted: pl.DataFrame
    quarantined: pl.DataFrame
    rows: int = 0
    refused: str | None = None
    where: str | None = None
    held: str | None = None
    violations: list[Violation] = field(default_factory=list)
    dropped_columns: dict[str, str] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    delivered_on: date | None = None
    gate: dict[str, int | str] | None = None
    filled: dict[str, float] = field(default_factory=dict)
    shifts: dict[str, float] = field(default_factory=dict)


def check_delivery(
    feed: str,
    file_name: str,
    content: bytes,
    manifest: bytes | None,
    as_of: date,
    *,
    previous: Previous | None = None,
    gx: bool = True,
    manifest_required: bool = True,
    released: bool = False,
) -> CheckedDelivery:
    """Apply the feed's contract to one delivered file. Deterministic and pure.

    previous: what the delivery before was like, for the bands of volume and mix. gx: also run the Great Expectations
    suite, which must agree. manifest_required=False checks a file on its own. released=True: a person has looked at
    a held delivery and lets it through.
    Raises Misuse for an unknown feed; CheckFailed when the suite and the masks disagree.
    """
    contract = loading.load(feed)
    fault = reading.byte_fault(content, contract)
    if fault in ("zero_bytes", "too_large"):
        return _refused(contract, fault)
    told = None
    if manifest is not None or manifest_required:
        checked = check_manifest(manifest, content, feed, as_of, file_name=file_name)
        told = checked.manifest
        if checked.reason:
            return _refused(contract, checked.reason, delivered_on=told.delivered_on if told else None)
    delivered_on = told.delivered_on if told else None
    if gx and len(content) >= _LARGE:
        from linkage.feeds.gx_suite import load_ahead

        load_ahead()
    text = reading.read(content, contract)
    if text.refused:
        return _refused(contract, text.refused, text.where, delivered_on)
    if told is not None and told.rows != text.records:
        cut = text.records < told.rows and not text.ends_whole
        return _refused(contract, "truncated" if cut else "row_count_mismatch", None, delivered_on)
    return _judge(contract, text, as_of, delivered_on, previous, gx, released)


def _judge(
    contract: Contract,
    text: TextFile,
    as_of: date,
    delivered_on: date | None,
    previous: Previous | None,
    gx: bool,
    released: bool,
) -> CheckedDelivery:
    found = masks.violations(text.frame, contract, as_of)
    gate = _gate(contract, text.frame, as_of, found) if gx else None
    every = quarantine.all_violations(text, found, contract)
    accepted = masks.typed(text.frame, every[ROW_NO].unique(), contract)
    held = None if released else drift.held(contract, text, accepted, previous)
    optional = [column.name for column in contract.columns if not column.required]
    return CheckedDelivery(
        contract.feed,
        contract.id,
        accepted=accepted.clear() if held else accepted,
        quarantined=quarantine.quarantined(text, every, contract),
        rows=text.records,
        held=held.reason if held else None,
        where=held.where if held else None,
        violations=[Violation(*row) for row in every.iter_rows()],
        dropped_columns=contract.dropped,
        flags=count_flags(accepted, contract),
        delivered_on=delivered_on,
        gate=gate,
        filled=drift.filled(text.frame, optional),
        shifts=drift.shifts(drift.mix(accepted, contract), previous.mix) if previous else {},
    )


def _gate(contract: Contract, frame: pl.DataFrame, as_of: date, found: pl.DataFrame) -> dict[str, int | str]:
    """Run the suite; its finding must be the masks' finding, row for row."""
    from linkage.feeds.gx_suite import run_suite

    evidence = run_suite(frame, contract, as_of)
    expected = set(found.iter_rows())
    if set(evidence.violations) != expected:
        differ = {(column, reason) for _, column, reason in expected ^ set(evidence.violations)}
        named = ", ".join(sorted(f"{column}/{reason}" for column, reason in differ))
        raise CheckFailed(
            f"{contract.id}: the expectation suite and the masks disagree on {named}; nothing is accepted"
        )
    return evidence.summary


def _refused(
    contract: Contract, reason: str, where: str | None = None, delivered_on: date | None = None
) -> CheckedDelivery:
    nothing = text_file.empty(contract)
    return CheckedDelivery(
        contract.feed,
        contract.id,
        accepted=masks.typed(nothing, pl.Series(dtype=pl.Int32), contract),
        quarantined=quarantine.nothing(contract),
        refused=reason,
        where=where,
        dropped_columns=contract.dropped,
        delivered_on=delivered_on,
    )
