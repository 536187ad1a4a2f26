"""Whether a delivery differs so much from what is usual that a person must look before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from linkage.feeds.contract import Contract
from linkage.feeds.text_file import TextFile

Mix = Mapping[str, Mapping[str, float]]
"""Column → code → its share of the rows that have one."""


@dataclass(frozen=True, slots=True)
class Previous:
    """What the delivery in force is like: rows accepted, and the mix of codes in its kept columns."""

    rows: int
    mix: Mix = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """Why a delivery is held, and at which column if it is one column's fault."""

    reason: str
    where: str | None = None


def held(contract: Contract, text: TextFile, accepted: pl.DataFrame, previous: Previous | None) -> Held | None:
    """`too_many_quarantined`, `volume_drift`, `coverage_drift`, `mix_drift` or None, by the contract's [drift]."""
    drift, rows = contract.drift, text.frame.height + text.broken.height
    if rows >= drift.quarantine_from_rows and rows - accepted.height > drift.quarantine_share * rows:
        return Held("too_many_quarantined")
    if previous is not None and previous.rows >= drift.volume_from_rows:
        low, high = drift.volume_band
        if not low <= accepted.height / previous.rows <= high:
            return Held("volume_drift")
    if text.frame.height >= drift.coverage_from_rows:
        share = filled(text.frame, list(drift.coverage))
        thin = [name for name, least in drift.coverage.items() if share[name] < least]
        if thin:
            return Held("coverage_drift", thin[0])
    if previous is not None and min(previous.rows, accepted.height) >= drift.mix_from_rows:
        shifted = shifts(mix(accepted, contract), previous.mix)
        furthest = max(shifted, key=lambda name: shifted[name], default=None)
        if furthest is not None and shifted[furthest] > drift.mix_shift:
            return Held("mix_drift", furthest)
    return None


def filled(frame: pl.DataFrame, names: list[str]) -> dict[str, float]:
    """The share of rows in which each of these columns is filled in."""
    if not names or frame.is_empty():
        return dict.fromkeys(names, 0.0)
    return dict(zip(names, frame.select(pl.col(names).is_not_null().mean()).row(0), strict=True))


def mix(accepted: pl.DataFrame, contract: Contract) -> dict[str, dict[str, float]]:
    """The shares of each code in the kept columns that hold codes or flags, of accepted rows."""
    told: dict[str, dict[str, float]] = {}
    for column in contract.kept:
        if column.kind in ("code", "flag") and column.name in accepted.columns:
            codes = accepted[column.name].drop_nulls().cast(pl.String).value_counts(normalize=True, name="share")
            told[column.name] = dict(zip(codes[column.name].to_list(), codes["share"].to_list(), strict=True))
    return told


def shifts(now: Mix, before: Mix) -> dict[str, float]:
    """How far the mix of each column has moved: half the sum of the differences of shares, 0 (the same) to 1."""
    told: dict[str, float] = {}
    for name in now.keys() & before.keys():
        if now[name] and before[name]:
            codes = now[name].keys() | before[name].keys()
            told[name] = sum(abs(now[name].get(code, 0.0) - before[name].get(code, 0.0)) for code in codes) / 2
    return dict(sorted(told.items()))
