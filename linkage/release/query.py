"""Ad-hoc statistics, from tables that have been released and from nothing else (N18)."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, Misuse
from linkage.release import bundle, rules
from linkage.release.describe import COLUMN
from linkage.release.rules import ReleasePolicy
from linkage.release.tables import Table

STORE, HELD = "mhclg", "released_tables"  # the reader of released tables holds no key to anything else


def released() -> list[Table]:
    """Every table that MHCLG has accepted, the latest release last."""
    vault = Vault(STORE)
    return [table for one in vault.find(HELD) for table in bundle.unpack(vault.read_bytes(one.id))]


def answer(
    tables: Sequence[Table],
    by: Sequence[str],
    population: str | None = None,
    outcome: str | None = None,
    policy: ReleasePolicy | None = None,
) -> pl.DataFrame:
    """People and families `by` these dimensions as released, totals and marks included.

    A table with more dimensions answers with its totals over the others. Raises Misuse for a dimension nobody
    declared, CheckFailed when no released table has the answer: then it takes a release, not a query.
    """
    told = policy or rules.load()
    if not by or not set(by) <= set(told.dimensions):
        raise Misuse(f"a query is by one or more of {', '.join(told.dimensions)}")
    found = None
    for table in tables:
        fits = table.spec.outcome == outcome and population in (None, table.spec.population)
        rows = _over(table.frame, by, told) if fits and set(by) <= set(table.frame.columns) else None
        if rows is not None and (found is None or len(table.frame.columns) <= len(found[0].frame.columns)):
            found = table, rows  # the plainest table says most, and of those the latest
    if found is None:
        raise CheckFailed("no released table answers this (N18); it needs a release of its own")
    return found[1].with_columns(pl.lit(found[0].spec.population).alias("population"))


def _over(frame: pl.DataFrame, by: Sequence[str], policy: ReleasePolicy) -> pl.DataFrame | None:
    """The rows by some dimensions, with the others at their totals; None where one has no total."""
    for name in (column for column in frame.columns if column not in COLUMN and column not in by):
        if policy.total not in frame[name]:
            return None
        frame = frame.filter(pl.col(name) == policy.total)
    return frame.select(*by, *(name for name in COLUMN if name in frame.columns))
