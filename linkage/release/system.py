"""What an outsider knows about hidden counts, as linear constraints over whole numbers (R3).

The outsider knows every shown count, that shown counts are rounded from true ones at or above the threshold, that
totals are sums of the rounded counts, that no cell has more families than people, and that several tables count the
same people. A `world` is an assignment of whole numbers that fits all of it; what can be worked out about a hidden
count is the range of its values over all worlds (the attacker's problem of Fischetti and Salazar 2001).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from linkage.errors import CheckFailed
from linkage.release.axes import Bools, Ints, Reals
from linkage.release.lattice import NOTHING, Grid, Key
from linkage.release.rules import FAMILIES, PEOPLE, ReleasePolicy

Target = tuple[int, str, Key]  # table number, measure, hidden cell


class Contradiction(CheckFailed):
    """The tables cannot all be about the same people: no true counts fit what they show."""


class System:
    """The constraints that `grids` (tables as shown, all about one population) put on their hidden cells.

    Variables: the true count of every cell of categories (`true`, by table and measure), and of every hidden cell the
    rounded count in units of the base (`rounded`, NOTHING where shown). Rows: `least <= matrix @ world <= most`.
    """

    def __init__(self, grids: Sequence[Grid], policy: ReleasePolicy) -> None:
        self.grids, self.policy = list(grids), policy
        shown = [int(values.max(initial=0)) for grid in grids for values in grid.shown.values()]
        # No hidden count is bounded by this: anything that reaches it counts as unbounded.
        self.far = 10 * (max(shown, default=0) + 1000)
        self.true: list[dict[str, Ints]] = []
        self.rounded: list[dict[str, Ints]] = []
        self._low: list[Reals] = []
        self._high: list[Reals] = []
        self._size = 0
        self._entries: list[tuple[Ints, Ints, Reals]] = []
        self._bounds: list[tuple[Reals, Reals]] = []
        self._rows = 0
        for grid in grids:
            self._add_variables(grid)
        for number in range(len(grids)):
            self._add_sums(number)
            self._add_families_within_people(number)
        self.tied = [False] * len(grids)
        for one, other in itertools.combinations(range(len(grids)), 2):
            self._tie(one, other)

    # ------------------------------------------------------------ as arrays

    @functools.cached_property
    def low(self) -> Reals:
        """The least value of each variable."""
        return np.concatenate(self._low) if self._low else np.zeros(0)

    @functools.cached_property
    def high(self) -> Reals:
        """The greatest value of each variable."""
        return np.concatenate(self._high) if self._high else np.zeros(0)

    @functools.cached_property
    def least(self) -> Reals:
        """The least sum of each row."""
        return np.concatenate([one for one, _ in self._bounds]) if self._bounds else np.zeros(0)

    @functools.cached_property
    def most(self) -> Reals:
        """The greatest sum of each row."""
        return np.concatenate([one for _, one in self._bounds]) if self._bounds else np.zeros(0)

    @functools.cached_property
    def matrix(self) -> Any:
        """Rows by variables, sparse."""
        from scipy import sparse

        if not self._entries:
            return sparse.csr_array((0, self._size))
        down, across, weights = (np.concatenate([entry[n] for entry in self._entries]) for n in range(3))
        return sparse.csr_array((weights, (down, across)), shape=(self._rows, self._size))

    @functools.cached_property
    def columns(self) -> Any:
        """The same matrix, for looking at variables instead of rows."""
        return self.matrix.tocsc()

    @functools.cached_property
    def is_rounded(self) -> Bools:
        """Which variables are rounded counts; the others are true ones."""
        out = np.zeros(self._size, dtype=bool)
        for told in self.rounded:
            for places in told.values():
                out[places[places != NOTHING]] = True
        return out

    @functools.cached_property
    def true_at(self) -> list[dict[str, Ints]]:
        """By table and measure, the variable of the true count at each flat cell number; NOTHING at totals."""
        out = []
        for grid, true in zip(self.grids, self.true, strict=True):
            at = {}
            for measure, places in true.items():
                every = np.full(grid.lattice.shape, NOTHING)
                every[grid.lattice.leaf_block] = places
                at[measure] = every.ravel()
            out.append(at)
        return out

    @property
    def size(self) -> int:
        """How many variables there are."""
        return self._size

    def fits(self, worlds: Any) -> Bools:
        """Which columns of `worlds` (variables by worlds) satisfy every constraint."""
        values = np.asarray(worlds, dtype=float)
        within = (values >= self.low[:, None] - 1e-6).all(axis=0) & (values <= self.high[:, None] + 1e-6).all(axis=0)
        sums = self.matrix @ values
        good: Bools = (
            within & (sums >= self.least[:, None] - 1e-6).all(axis=0) & (sums <= self.most[:, None] + 1e-6).all(axis=0)
        )
        return good

    def world(self, counts: Sequence[dict[str, Ints]]) -> Reals:
        """The world in which `counts` (one `leaf_shape` array per measure, for every table) are the true counts."""
        world = np.zeros(self._size)
        for grid, true, rounded, told in zip(self.grids, self.true, self.rounded, counts, strict=True):
            for measure in grid.measures:
                world[true[measure]] = told[measure]
                units = grid.lattice.sums(self.policy.round_all(told[measure])) // self.policy.rounding_base
                hidden = rounded[measure] != NOTHING
                world[rounded[measure][hidden]] = units[hidden]
        return world

    def counts(self, world: Reals, number: int) -> dict[str, Ints]:
        """The true counts of one table in a world."""
        return {measure: np.rint(world[places]).astype(np.int64) for measure, places in self.true[number].items()}

    def terms(self, target: Target) -> Ints:
        """The variables whose sum is the true count of a hidden cell."""
        number, measure, key = target
        places: Ints = self.true[number][measure][self.grids[number].lattice.under(key)].ravel()
        return places

    # ------------------------------------------------------------ building

    def _variables(self, low: Any, high: Any, count: int) -> Ints:
        self._low.append(np.broadcast_to(np.asarray(low, dtype=float), count))
        self._high.append(np.broadcast_to(np.asarray(high, dtype=float), count))
        self._size += count
        return np.arange(self._size - count, self._size)

    def _add_rows(self, terms: Sequence[tuple[Ints, Ints, float]], least: Any, most: Any, count: int) -> None:
        """`count` rows; each of `terms` is row numbers, variables and one weight."""
        for rows, places, weight in terms:
            self._entries.append((rows + self._rows, places, np.full(len(places), weight)))
        self._bounds.append(tuple(np.broadcast_to(np.asarray(one, dtype=float), count) for one in (least, most)))  # type: ignore[arg-type]
        self._rows += count

    def _add_variables(self, grid: Grid) -> None:
        """True counts: within the slack of the rounded ones, shown or not."""
        policy, lattice = self.policy, grid.lattice
        trues: dict[str, Ints] = {}
        roundeds: dict[str, Ints] = {}
        for measure in grid.measures:
            hidden = grid.hidden & lattice.has(measure)
            rounded = np.full(lattice.shape, NOTHING)
            count = int(hidden.sum())
            rounded[hidden] = self._variables(0, self.far // policy.rounding_base, count)
            inside = hidden[lattice.leaf_block]
            shown = grid.shown[measure][lattice.leaf_block]
            low = np.where(inside, 0, np.maximum(shown - policy.slack, policy.threshold))
            high = np.where(inside, self.far, shown + policy.slack)
            true = self._variables(low.ravel(), high.ravel(), low.size).reshape(low.shape)
            places, number = true[inside], int(inside.sum())
            rows = np.arange(number)
            terms = [(rows, places, 1.0), (rows, rounded[lattice.leaf_block][inside], -float(policy.rounding_base))]
            self._add_rows(terms, -policy.slack, policy.slack, number)
            trues[measure], roundeds[measure] = true, rounded
        self.true.append(trues)
        self.rounded.append(roundeds)

    def _add_sums(self, number: int) -> None:
        grid, base = self.grids[number], self.policy.rounding_base
        for measure in grid.measures:
            rounded = self.rounded[number][measure].ravel()
            units = np.where(rounded == NOTHING, grid.shown[measure].ravel() // base, 0)
            for totals, parts in grid.lattice.equations(measure):
                together = np.column_stack([totals, parts])
                signs = np.array([-1.0] + [1.0] * parts.shape[1])
                known = units[together] @ signs
                places = rounded[together]
                open_ = (places != NOTHING).any(axis=1)
                if known[~open_].any():
                    raise Contradiction("a shown total is not the sum of the shown counts")
                places, rest = places[open_], -known[open_]
                rows = np.arange(len(places))
                terms = []
                for column, sign in enumerate(signs):
                    there = places[:, column] != NOTHING
                    terms.append((rows[there], places[there, column], float(sign)))
                self._add_rows(terms, rest, rest, len(places))

    def _add_families_within_people(self, number: int) -> None:
        true = self.true[number]
        if PEOPLE in true and FAMILIES in true:
            people, families = true[PEOPLE].ravel(), true[FAMILIES].ravel()
            rows = np.arange(len(people))
            self._add_rows([(rows, people, 1.0), (rows, families, -1.0)], 0, np.inf, len(people))

    def _tie(self, one: int, other: int) -> None:
        """Two tables of one population have the same true total in every cell of the dimensions they share."""
        left, right = self.grids[one], self.grids[other]
        shared = [name for name in left.names if name in right.names]
        margins = [set(grid.names) for number, grid in enumerate(self.grids) if number not in (one, other)]
        if set(shared) in margins and set(shared) not in (set(left.names), set(right.names)):
            return  # a third table is both tables' common margin, and ties them
        common = []
        for name in shared:
            axes = [grid.lattice.axes[grid.names.index(name)] for grid in (left, right)]
            common.append([axis.labels[: axis.leaves] for axis in axes])
        names = [[label for label in mine if label in theirs] for mine, theirs in common]
        if not all(names):
            return
        self.tied[one] = self.tied[other] = True
        for measure in (name for name in left.measures if name in right.measures):
            groups = [self._by_shared(number, measure, shared, names) for number in (one, other)]
            sizes = [group.shape[1] for group in groups]
            rows = np.arange(len(groups[0]))
            sums = [all(self._adds(grid, measure, shared)) for grid in (left, right)]
            if all(sums):
                terms = [
                    (np.repeat(rows, size), group.ravel(), sign)
                    for group, size, sign in zip(groups, sizes, (1.0, -1.0), strict=True)
                ]
                self._add_rows(terms, 0, 0, len(rows))
            elif sums[0] and sizes[0] == 1:
                self._cover(groups[0][:, 0], groups[1])
            elif sums[1] and sizes[1] == 1:
                self._cover(groups[1][:, 0], groups[0])

    @staticmethod
    def _adds(grid: Grid, measure: str, shared: Sequence[str]) -> list[bool]:
        """For each dimension that is not shared, whether the measure can be summed over it."""
        pairs = zip(grid.names, grid.lattice.axes, strict=True)
        return [measure != FAMILIES or not axis.repeats for name, axis in pairs if name not in shared]

    def _by_shared(self, number: int, measure: str, shared: Sequence[str], names: Sequence[Sequence[str]]) -> Ints:
        """The true counts by cell of the shared dimensions: those cells by the cells inside each."""
        grid = self.grids[number]
        order = [grid.names.index(name) for name in shared]
        rest = [n for n in range(len(grid.names)) if n not in order]
        block = self.true[number][measure].transpose(order + rest)
        picked = [
            np.array([grid.lattice.axes[n].places[label] for label in labels])
            for n, labels in zip(order, names, strict=True)
        ]
        block = block[np.ix_(*picked)] if picked else block
        return block.reshape(int(np.prod([len(labels) for labels in names])), -1)

    def _cover(self, whole: Ints, parts: Ints) -> None:
        """Families may stand in several fine cells: the coarse one is at least each, at most their sum."""
        rows = np.arange(len(whole))
        for column in range(parts.shape[1]):
            self._add_rows([(rows, whole, 1.0), (rows, parts[:, column], -1.0)], 0, np.inf, len(rows))
        terms = [(rows, whole, 1.0), (np.repeat(rows, parts.shape[1]), parts.ravel(), -1.0)]
        self._add_rows(terms, -np.inf, 0, len(rows))
