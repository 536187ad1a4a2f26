"""Every release against every earlier one: a small change in one cell points at few people (R4)."""

from __future__ import annotations

from collections.abc import Sequence

from linkage.release.lattice import Grid, Key
from linkage.release.rules import MEASURES, ReleasePolicy


def small_differences(grid: Grid, earlier: Sequence[Grid], policy: ReleasePolicy) -> set[Key]:
    """Cells shown now and in an earlier release of the same table whose counts differ, but by too little.

    The same table is the same shape and outcome, of this wave (a re-run after a withdrawal) or of another one.
    """
    found: set[Key] = set()
    for past in earlier:
        if (past.spec.shape, past.spec.outcome) != (grid.spec.shape, grid.spec.outcome):
            continue
        there = {past.cell(key): key for key in past.lattice.cells()}
        for key in grid.lattice.cells():
            twin = there.get(grid.cell(key))
            if twin is not None and _differs_little(grid, key, past, twin, policy):
                found.add(key)
    return found


def hidden_before(grid: Grid, earlier: Sequence[Grid]) -> set[Key]:
    """Cells of `grid` that an earlier release about the same population hid: shown now, they would unhide then.

    Hiding different cells in a re-run is how a later table undoes an earlier one, whichever table showed the cell.
    """
    hidden = {past.cell(key) for past in earlier if _same(past, grid) for key in past.hidden}
    return {key for key in grid.lattice.cells() if grid.cell(key) in hidden}


def of_one_population(grid: Grid, earlier: Sequence[Grid]) -> list[Grid]:
    """The earlier releases that count the same people as `grid`: what they show bears on its hidden cells (R3)."""
    return [past for past in earlier if _same(past, grid)]


def _same(past: Grid, grid: Grid) -> bool:
    return past.spec.population == grid.spec.population


def _differs_little(grid: Grid, key: Key, past: Grid, twin: Key, policy: ReleasePolicy) -> bool:
    for measure in MEASURES:
        now, then = grid.value(key, measure), past.value(twin, measure)
        if now is not None and then is not None and 0 < abs(now - then) < policy.difference_threshold:
            return True
    return False
