"""Protection of a table of true counts: which cells are hidden and why, and what is shown instead (R2, R3, R4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linkage.release import differencing
from linkage.release.axes import Bools, Ints
from linkage.release.lattice import NOTHING, Grid, Lattice
from linkage.release.proof import Counts, Known
from linkage.release.rules import FAMILIES, MEASURES, PEOPLE, ReleasePolicy
from linkage.release.suppress import hide_more
from linkage.release.tables import LARGEST, SECOND

BELOW, DOMINATED, GROUP = "below_threshold", "dominance", "group_disclosure"
DIFFERENCE, BEFORE, RECOVERABLE = "small_difference", "hidden_in_an_earlier_release", "recoverable"
RULE = {BELOW: "R2", DOMINATED: "R2", GROUP: "R2", DIFFERENCE: "R4", BEFORE: "R4", RECOVERABLE: "R3"}


@dataclass(frozen=True, eq=False)
class Protected:
    """The table as it may be shown, and by reason the cells hidden for it; a cell has one reason."""

    grid: Grid
    reasons: Mapping[str, Bools]


def protect(
    raw: Grid, counts: Counts, contributions: Mapping[str, Ints], earlier: Sequence[Known], policy: ReleasePolicy
) -> Protected:
    """Hide what R2 and R4 say, round the rest, sum the totals from rounded counts, then hide until R3 is proved.

    `counts` are true counts, `contributions` the people of the biggest families in each cell where known;
    `earlier` are tables already released. A cell is hidden in both measures or in neither.
    """
    lattice = raw.lattice
    shown = {measure: rounded(lattice, counts[measure], measure, policy) for measure in MEASURES}
    grid = replace(raw, shown=shown, hidden=np.zeros(lattice.shape, dtype=bool))
    past = [one.grid for one in earlier]
    reasons: dict[str, Bools] = {BELOW: _below(lattice, counts, shown, policy)}
    reasons[GROUP] = one_sided(lattice, lattice.sums(counts[PEOPLE]), policy)
    reasons[DOMINATED] = np.zeros(lattice.shape, dtype=bool)
    reasons[DOMINATED][lattice.leaf_block] = dominated(counts[PEOPLE], contributions, policy)
    reasons[BEFORE] = differencing.hidden_before(grid, past)
    grid = grid.hiding(_any(reasons, lattice))
    reasons[DIFFERENCE] = differencing.small_differences(grid, past, policy)
    grid = grid.hiding(_any(reasons, lattice))
    same = [one for one in earlier if one.grid.spec.population == grid.spec.population]
    hidden = hide_more(grid, counts, same, policy)
    reasons[RECOVERABLE] = hidden
    told = np.zeros(lattice.shape, dtype=bool)
    for reason, cells in reasons.items():
        reasons[reason] = cells & ~told
        told = told | cells
    return Protected(grid.hiding(hidden), reasons)


def rounded(lattice: Lattice, counts: Ints, measure: str, policy: ReleasePolicy) -> Ints:
    """Rounded counts, and totals that are the sums of those (R2); NOTHING where the measure has no total."""
    return np.where(lattice.has(measure), lattice.sums(policy.round_all(counts)), NOTHING)


def one_sided(lattice: Lattice, people: Ints, policy: ReleasePolicy) -> Bools:
    """Cells of groups in which one sensitive category holds everybody: they tell of each member (R2)."""
    found = np.zeros(lattice.shape, dtype=bool)
    for number, axis in enumerate(lattice.axes):
        sensitive = [axis.places[part] for part in policy.dimensions[axis.name].sensitive if part in axis.places]
        if not sensitive:
            continue
        group = np.take(people, sensitive, axis=number)
        whole = group.sum(axis=number, keepdims=True)
        uniform = (whole > 0) & (group.max(axis=number, keepdims=True) == whole)
        place = [slice(None)] * len(lattice.axes)
        for node in sensitive:
            place[number] = slice(node, node + 1)
            found[tuple(place)] |= uniform
    return found


def _any(reasons: Mapping[str, Bools], lattice: Lattice) -> Bools:
    out = np.zeros(lattice.shape, dtype=bool)
    for cells in reasons.values():
        out |= cells
    return out


def _below(lattice: Lattice, counts: Counts, shown: Counts, policy: ReleasePolicy) -> Bools:
    """Cells below the threshold, in truth or as they would be shown, in people or in families."""
    found = np.zeros(lattice.shape, dtype=bool)
    for measure in MEASURES:
        least = np.minimum(lattice.sums(counts[measure]), shown[measure])
        found |= lattice.has(measure) & (least < policy.threshold)
    return found | (~lattice.has(FAMILIES) & (_most(lattice, counts[FAMILIES]) < policy.threshold))


def _most(lattice: Lattice, families: Ints) -> Ints:
    """The greatest part of each total: all that is known of families where they repeat."""
    out = families
    for number, axis in enumerate(lattice.axes):
        parts = [np.take(out, np.flatnonzero(row), axis=number).max(axis=number) for row in axis.members]
        out = np.stack(parts, axis=number)
    return out


def dominated(people: Ints, contributions: Mapping[str, Ints], policy: ReleasePolicy) -> Bools:
    """Cells of few contributors: the (1,k) and (2,k) rules and the p-percent rule over families' people (R2).

    p-percent: the second largest family, taking itself away from the total, knows the largest within p percent.
    """
    found = np.zeros(people.shape, dtype=bool)
    if LARGEST not in contributions:
        return found
    largest = contributions[LARGEST]
    found |= largest > policy.dominance_share * people
    if SECOND in contributions:
        two = largest + contributions[SECOND]
        found |= two > policy.dominance_share_of_two * people
        found |= (largest > 0) & (people - two < policy.p_percent / 100 * largest)
    return found
