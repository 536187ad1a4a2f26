"""Whether a delivery differs so much from what is usual that a person must look before it is loaded."""

from __future__ import annotations

import polars as pl

from linkage.feeds.contract import Contract
from linkage.feeds.reading import TextFile


def held_reason(contract: Contract, text: TextFile, accepted: int, previous_rows: int | None) -> str | None:
    """`too_many_quarantined`, `volume_drift`, `coverage_drift` or None. Bands and floors are the contract's [drift]."""
    drift = contract.drift
    rows = text.frame.height + text.broken.height
    if rows >= drift.quarantine_from_rows and rows - accepted > drift.quarantine_share * rows:
        return "too_many_quarantined"
    if previous_rows is not None and previous_rows >= drift.volume_from_rows:
        low, high = drift.volume_band
        if not low <= accepted / previous_rows <= high:
            return "volume_drift"
    if text.frame.height >= drift.coverage_from_rows and drift.coverage:
        filled = text.frame.select(pl.col(name).is_not_null().mean() for name in drift.coverage).row(0)
        if any(share < least for share, least in zip(filled, drift.coverage.values(), strict=True)):
            return "coverage_drift"
    return None
