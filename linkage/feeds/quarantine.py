"""The rows that are not accepted, as delivered, each with its reason: kept so that it can be corrected (S1, D16)."""

from __future__ import annotations

import polars as pl

from linkage.feeds.contract import Contract
from linkage.feeds.text_file import BROKEN_SCHEMA, ROW_NO, TextFile


def all_violations(text: TextFile, found: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Faults of shape and of content together: row_no, column, reason; by row, then contract order."""
    places = {name: place for place, name in enumerate(contract.names)}
    order = pl.col("column").replace_strict(places, default=-1, return_dtype=pl.Int32)
    both = pl.concat([text.broken.drop("raw"), found])
    return both.sort(ROW_NO, order, maintain_order=True)


def quarantined(text: TextFile, every: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """One row per broken row: row_no, first column and reason, raw (when columns could not be told), the text."""
    first = every.unique(ROW_NO, keep="first", maintain_order=True)
    raw = text.broken.select(ROW_NO, "raw").unique(ROW_NO, keep="first")
    return (
        first.join(raw, on=ROW_NO, how="left")
        .join(text.frame, on=ROW_NO, how="left")
        .select(*BROKEN_SCHEMA, *contract.names)
        .sort(ROW_NO)
    )


def nothing(contract: Contract) -> pl.DataFrame:
    """An empty quarantine of the right shape."""
    return pl.DataFrame(schema=BROKEN_SCHEMA | {name: pl.String() for name in contract.names})
