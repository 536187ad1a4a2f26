"""Every release against every earlier one: a small change in one cell points at few people (R4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linkage.release.axes import Bools
from linkage.release.lattice import NOTHING, Grid, alignment
from linkage.release.rules import MEASURES, ReleasePolicy


def small_differences(grid: Grid, earlier: Sequence[Grid], policy: ReleasePolicy) -> Bools:
    """Cells shown now and in an earlier release of the same table whose counts differ, but by too little.

    The same table is the same shape and outcome, of this wave (a re-run after a withdrawal) or of another one.
    """
    found = np.zeros(grid.lattice.shape, dtype=bool)
    for past in earlier:
        both = alignment(grid, past) if _is_same_table(past, grid) else None
        if both is None:
            continue
        here, there = both
        for measure in MEASURES:
            now, then = grid.visible(measure)[here], past.visible(measure)[there]
            apart = np.abs(now - then)
            close = (now != NOTHING) & (then != NOTHING) & (apart > 0) & (apart < policy.difference_threshold)
            found[here] |= close
    return found


def hidden_before(grid: Grid, earlier: Sequence[Grid]) -> Bools:
    """Cells of `grid` that an earlier release about the same population hid: shown now, they would unhide then.

    Hiding different cells in a re-run is how a later table undoes an earlier one, whichever table showed the cell.
    """
    found = np.zeros(grid.lattice.shape, dtype=bool)
    for past in earlier:
        both = alignment(grid, past) if _is_same_population(past, grid) else None
        if both is not None:
            here, there = both
            found[here] |= past.hidden[there]
    return found


def _is_same_table(past: Grid, grid: Grid) -> bool:
    return (past.spec.shape, past.spec.outcome) == (grid.spec.shape, grid.spec.outcome)


def _is_same_population(past: Grid, grid: Grid) -> bool:
    return past.spec.population == grid.spec.population
