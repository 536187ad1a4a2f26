"""What speaks against publishing a protected table exactly as it is, judged as an outsider sees it (R2 to R4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from linkage.release import differencing, disclosure, findings, shape
from linkage.release.findings import Finding
from linkage.release.lattice import NOTHING, Grid
from linkage.release.proof import Known
from linkage.release.render import to_frame
from linkage.release.rules import MEASURES, OUTCOME, ReleasePolicy
from linkage.release.suppress import narrow_counts
from linkage.release.system import Contradiction
from linkage.release.tables import CONTRIBUTIONS


def audit(table: Known, frame: pl.DataFrame, earlier: Sequence[Known], policy: ReleasePolicy) -> list[Finding]:
    """Every finding about a protected table. Counts in `table` or `earlier` only save work: no proof rests on them."""
    grid = table.grid
    found = _check_shown(grid, frame, policy)
    if found:
        return found
    lattice, past = grid.lattice, [one.grid for one in earlier]
    found += findings.at_all(lattice, differencing.small_differences(grid, past, policy), "R4", disclosure.DIFFERENCE)
    undone = differencing.hidden_before(grid, past) & ~grid.hidden
    found += findings.at_all(lattice, undone, "R4", disclosure.BEFORE)
    same = [one for one in earlier if one.grid.spec.population == grid.spec.population]
    try:
        narrow = narrow_counts(table, same, policy)
    except Contradiction:
        return [*found, Finding("R2", "totals_contradict_the_counts")]
    for number, _, key in narrow:
        owner = grid if number == -1 else same[number].grid
        finding = findings.at(owner.lattice, key, "R3", disclosure.RECOVERABLE)
        if finding not in found:
            found.append(finding)
    return found


def looks_protected(grid: Grid, frame: pl.DataFrame, policy: ReleasePolicy) -> bool:
    """A protected table in which nothing had to be hidden: every total given, every count rounded, no zero."""
    if set(CONTRIBUTIONS) & set(frame.columns):
        return False
    for measure in MEASURES:
        values = grid.shown[measure][grid.lattice.has(measure)]
        if (values < policy.threshold).any() or (values % policy.rounding_base).any():
            return False
    return True


def _check_shown(grid: Grid, frame: pl.DataFrame, policy: ReleasePolicy) -> list[Finding]:
    """Shown counts of a protected table: every cell there, at or above the threshold, rounded, rates derived."""
    found: list[Finding] = []
    for measure in MEASURES:
        value = grid.shown[measure]
        expected = grid.lattice.has(measure) & ~grid.hidden
        missing = expected & (value == NOTHING)
        below = expected & ~missing & (value < policy.threshold)
        odd = expected & ~missing & ~below & (value % policy.rounding_base != 0)
        for cells, reason in (
            (missing, "not_shown_and_not_hidden"),
            (below, disclosure.BELOW),
            (odd, "not_rounded"),
        ):
            found += findings.at_all(grid.lattice, cells, "R2", reason)
    half = np.zeros(grid.lattice.shape, dtype=bool)
    for measure in MEASURES:
        half |= grid.hidden & (grid.shown[measure] != NOTHING)
    found += findings.at_all(grid.lattice, half, "R2", "hidden_in_one_measure_only")
    found += [Finding("R2", "extreme", column=name) for name in CONTRIBUTIONS if name in frame.columns]
    if not found and shape.RATE in frame.columns:
        found += _check_rates(grid, frame, policy)
    return found


def _check_rates(grid: Grid, frame: pl.DataFrame, policy: ReleasePolicy) -> list[Finding]:
    if OUTCOME not in grid.lattice.dimensions:
        return [Finding("R1", "column_not_declared", column=shape.RATE)]
    dimensions = list(grid.lattice.dimensions)
    derived = to_frame(grid, policy).select(*dimensions, pl.col(shape.RATE).alias("derived"))
    compared = (
        frame.with_row_index("row no", offset=1)
        .with_columns(pl.col(*dimensions, shape.RATE).cast(pl.String))
        .join(derived, on=dimensions, how="left")
        .filter(pl.col(shape.RATE).fill_null("") != pl.col("derived").fill_null(""))
    )
    return [Finding("R2", "rate_not_derived", row=row, column=shape.RATE) for row in compared["row no"]]


def true_counts(grid: Grid) -> dict[str, np.typing.NDArray[np.int64]]:
    """The cells of categories, by measure, of a table of true counts."""
    return {measure: grid.shown[measure][grid.lattice.leaf_block] for measure in MEASURES}


def check_true_totals(grid: Grid) -> list[Finding]:
    """Totals given beside true counts must be their sums: otherwise somebody is counted who is in no cell."""
    found = []
    for measure, counts in true_counts(grid).items():
        given = grid.shown[measure]
        wrong = grid.lattice.has(measure) & (given != NOTHING) & (given != grid.lattice.sums(counts))
        found += findings.at_all(grid.lattice, wrong, "R2", "total_is_not_the_sum")
    return found
