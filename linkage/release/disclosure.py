"""Protection of a table of true counts: which cells are hidden and why, and what is shown instead (R2, R3)."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from linkage.release import differencing
from linkage.release.intervals import Contradiction, System, Target
from linkage.release.lattice import Grid, Key, Lattice, level
from linkage.release.rules import MEASURES, ReleasePolicy

BELOW, DOMINATED, GROUP = "below_threshold", "dominance", "group_disclosure"
DIFFERENCE, BEFORE, RECOVERABLE = "small_difference", "hidden_in_an_earlier_release", "recoverable"
RULE = {BELOW: "R2", DOMINATED: "R2", GROUP: "R2", DIFFERENCE: "R4", BEFORE: "R4", RECOVERABLE: "R3"}
_PRUNE_AT_MOST = 20  # each costs a proof; in a large table the gain is not worth it


@dataclass(frozen=True)
class Protected:
    """The table as it may be shown, and why each hidden cell is hidden."""

    grid: Grid
    reasons: Mapping[Key, str]


def protect(raw: Grid, largest: Mapping[Key, int], earlier: Sequence[Grid], policy: ReleasePolicy) -> Protected:
    """Hide what R2 and R4 say, round the rest, sum the totals from rounded counts, then hide until R3 is proved.

    `raw` has true counts in its interior cells; `largest` the people of the biggest family per cell, where known;
    `earlier` are tables already released. A cell is hidden in both measures or in neither.
    """
    rounded = replace(raw, shown=_rounded(raw, policy), hidden=frozenset())
    reasons = dict.fromkeys(_dominated(raw, largest, policy), DOMINATED)
    reasons |= dict.fromkeys(one_sided(raw.lattice, _sums(raw), policy), GROUP)
    reasons |= dict.fromkeys(_below(raw, rounded, policy), BELOW)
    for key in differencing.hidden_before(rounded, earlier):
        reasons.setdefault(key, BEFORE)
    for key in differencing.small_differences(replace(rounded, hidden=frozenset(reasons)), earlier, policy):
        reasons.setdefault(key, DIFFERENCE)
    same = differencing.of_one_population(rounded, earlier)
    hidden = hide_more(replace(rounded, hidden=frozenset(reasons)), same, policy)
    for key in hidden:
        reasons.setdefault(key, RECOVERABLE)
    return Protected(replace(rounded, hidden=hidden), reasons)


def one_sided(lattice: Lattice, counts: Mapping[Key, int], policy: ReleasePolicy) -> set[Key]:
    """Cells of groups in which one sensitive category holds everybody: they tell of each member (R2)."""
    found: set[Key] = set()
    for number, name in enumerate(lattice.dimensions):
        sensitive = [part for part in policy.dimensions[name].sensitive if part in lattice.categories[number]]
        for key in lattice.cells():
            if not sensitive or key[number] != sensitive[0]:
                continue
            group = [(*key[:number], part, *key[number + 1 :]) for part in sensitive]
            whole = sum(counts[cell] for cell in group)
            if whole and max(counts[cell] for cell in group) == whole:
                found |= set(group)
    return found


def hide_more(grid: Grid, others: Sequence[Grid], policy: ReleasePolicy) -> frozenset[Key]:
    """Secondary suppression (R3): hide cells until every hidden one keeps an interval of `interval_width`.

    Proved by solver against this table and `others` about the same people, together. Where the others no longer fit
    (people withdrew since), the table is proved alone, and R4 has kept hidden what they hid.
    """
    others = list(others) if _agree(grid, others, policy) else []
    first = grid.hidden
    while narrow := _narrow(grid, others, policy):
        more = _choose(narrow, grid, others)
        if not more:
            break  # everything that could help is hidden already
        grid = replace(grid, hidden=grid.hidden | more)
    return _prune(grid, first, others, policy).hidden


def recoverable(grid: Grid, others: Sequence[Grid], policy: ReleasePolicy) -> list[Target]:
    """Hidden counts that can be worked out too closely (R3): table number -1 is `grid`, others count from 0.

    Raises Contradiction when the table contradicts itself.
    """
    System([grid], policy).require_consistent()
    return _narrow(grid, others if _agree(grid, others, policy) else [], policy)


def _narrow(
    grid: Grid, others: Sequence[Grid], policy: ReleasePolicy, near: Collection[Key] = (), only_one: bool = False
) -> list[Target]:
    """Too narrow intervals, of the table alone and of all tables together.

    Alone as well, because a cell that an earlier release shows cannot be protected any more, but how it changed can:
    together such a cell is passed over, alone it is not.
    """
    width = policy.interval_width
    found = [(-1, measure, key) for _, measure, key in System([grid], policy).narrow(width, near, only_one)]
    if others and not (found and only_one):
        together = System([*others, grid], policy).narrow(width, near, only_one)
        found += [(-1 if number == len(others) else number, measure, key) for number, measure, key in together]
    return list(dict.fromkeys(found))


def _agree(grid: Grid, others: Sequence[Grid], policy: ReleasePolicy) -> bool:
    """Whether some true counts fit all tables; solving for any one cell decides it."""
    if not others:
        return False
    try:
        System([*others, grid], policy).require_consistent()
    except Contradiction:
        return False
    return True


def _sums(raw: Grid) -> dict[Key, int]:
    counts = {key: raw.shown["individuals"][key] or 0 for key in raw.lattice.interior}
    return {key: raw.lattice.total(counts, key) for key in raw.lattice.cells()}


def _rounded(raw: Grid, policy: ReleasePolicy) -> dict[str, dict[Key, int | None]]:
    """Rounded interior counts, and totals that are the sums of those (R2)."""
    made: dict[str, dict[Key, int | None]] = {}
    for measure in MEASURES:
        counts = {key: policy.round(raw.shown[measure][key] or 0) for key in raw.lattice.interior}
        made[measure] = {key: raw.lattice.total(counts, key, measure) for key in raw.lattice.cells(measure)}
    return made


def _below(raw: Grid, rounded: Grid, policy: ReleasePolicy) -> set[Key]:
    """Cells below the threshold, in truth or as they would be shown, in people or in families."""
    found: set[Key] = set()
    for measure in MEASURES:
        counts = {key: raw.shown[measure][key] or 0 for key in raw.lattice.interior}
        for key in raw.lattice.cells(measure):
            as_shown = rounded.shown[measure][key] or 0
            if min(raw.lattice.total(counts, key, measure), as_shown) < policy.threshold:
                found.add(key)
    return found | _few_families(raw, policy)


def _few_families(raw: Grid, policy: ReleasePolicy) -> set[Key]:
    """Totals over a dimension in which families repeat: their greatest part is all that is known of them."""
    families = {key: raw.shown["families"][key] or 0 for key in raw.lattice.interior}
    own = set(raw.lattice.cells("families"))
    found: set[Key] = set()
    for key in raw.lattice.cells():
        if key in own:
            continue
        free = [raw.lattice.categories[number] if part is None else (part,) for number, part in enumerate(key)]
        if max(families[inner] for inner in itertools.product(*free)) < policy.threshold:
            found.add(key)
    return found


def _dominated(raw: Grid, largest: Mapping[Key, int], policy: ReleasePolicy) -> set[Key]:
    return {
        key
        for key, people in largest.items()
        if key in raw.shown["individuals"] and people > policy.dominance_share * (raw.shown["individuals"][key] or 0)
    }


def _choose(narrow: Iterable[Target], grid: Grid, others: Sequence[Grid]) -> frozenset[Key]:
    """For each hidden count that is too well known, the smallest shown cell that stands in a sum with it."""
    chosen: set[Key] = set()
    for number, _, key in narrow:
        if number == -1:
            near = grid.lattice.neighbours[key]
        else:
            cell = others[number].cell(key)
            near = frozenset(other for other in grid.lattice.cells() if _compatible(cell, grid.cell(other)))
        if near & chosen:
            continue  # what was just hidden may be enough for this one too
        shown = near - grid.hidden or frozenset(grid.lattice.cells()) - grid.hidden
        if shown:
            chosen.add(min(shown, key=lambda other: _cost(grid, other)))
    return frozenset(chosen)


def _cost(grid: Grid, key: Key) -> tuple[int, int, int, str]:
    """What hiding a shown cell costs: totals last; cells whose other sums have hidden cells first, then small ones."""
    sums = [{parent, *parts} for parent, parts in grid.lattice.sums_of[key]]
    alone = sum(not (together & grid.hidden) for together in sums)
    return level(key), alone, grid.value(key) or 0, str(key)


def _compatible(one: Iterable[tuple[str, str]], other: Iterable[tuple[str, str]]) -> bool:
    mine, theirs = dict(one), dict(other)
    return all(mine[name] == theirs[name] for name in mine.keys() & theirs.keys())


def _prune(grid: Grid, needed: frozenset[Key], others: Sequence[Grid], policy: ReleasePolicy) -> Grid:
    """Show again, largest first, each secondarily hidden cell without which the proof still holds."""
    extra = sorted(
        grid.hidden - needed, key=lambda key: (-level(key), -(grid.shown["individuals"][key] or 0), str(key))
    )
    if len(extra) > _PRUNE_AT_MOST:
        return grid
    for key in extra:
        less = replace(grid, hidden=grid.hidden - {key})
        near = grid.lattice.neighbours[key]
        if not _narrow(less, others, policy, near, only_one=True):
            grid = less
    return grid
