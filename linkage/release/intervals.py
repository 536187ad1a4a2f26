"""What an outsider can work out about hidden cells: their feasible intervals, by integer linear programming (R3).

The outsider knows every shown count, that shown counts are rounded from true ones at or above the threshold, that
totals are sums of the rounded counts, that no cell has more families than people, and that several tables count the
same people. All of that is one system of linear constraints; the least and the greatest value a hidden count can take
in it is its interval (the attacker's problem of Fischetti and Salazar 2001), solved by HiGHS.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linkage.errors import CheckFailed, DependencyUnreachable
from linkage.release.lattice import Cell, Grid, Key, level
from linkage.release.rules import MEASURES, ReleasePolicy

Target = tuple[int, str, Key]  # table number, measure, hidden cell
Row = tuple[dict[int, float], float, float]  # weights by variable, and the least and greatest sum
_SECONDS = 10.0


class Contradiction(CheckFailed):
    """The tables cannot all be about the same people: no true counts fit what they show."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The least and greatest true count that fits what is shown; `high` is infinite where nothing bounds it."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """How much is left open."""
        return self.high - self.low


class System:
    """The constraints that `grids` (protected tables, all about one population) put on their hidden cells."""

    def __init__(self, grids: Sequence[Grid], policy: ReleasePolicy) -> None:
        self._grids, self._policy = grids, policy
        shown = [value for grid in grids for part in grid.shown.values() for value in part.values()]
        # No hidden count is bounded by this: anything that reaches it counts as unbounded.
        self._far = 10 * (max((value or 0 for value in shown), default=0) + 1000)
        self._low: list[float] = []
        self._high: list[float] = []
        self._rows: list[Row] = []
        self._rounded: dict[Target, int] = {}
        self._true: dict[tuple[str, Cell], int] = {}
        self._public = {
            (measure, grid.cell(key))
            for grid in grids
            for measure in MEASURES
            for key in grid.lattice.cells(measure)
            if key not in grid.hidden
        }
        for number in range(len(grids)):
            self._add_table(number)
        for one, other in itertools.combinations(range(len(grids)), 2):
            self._tie(one, other)
        self._families_within_people()

    @property
    def targets(self) -> list[Target]:
        """Every hidden count, totals included."""
        return list(self._rounded)

    def require_consistent(self) -> None:
        """Raise Contradiction unless some true counts fit what the tables show."""
        if self._low:
            _Solver(self._low, self._high, self._rows).extreme(0, 1)

    def intervals(self) -> dict[Target, Interval]:
        """The exact feasible interval of every hidden count. Raises Contradiction."""
        found: dict[Target, Interval] = {}
        for solver, objectives in self._parts():
            for target, place in objectives.items():
                scale = self._scale(target)
                low, high = solver.extreme(place, -1) * scale, solver.extreme(place, 1) * scale
                found[target] = self._widen(target, low, high)
        return found

    def narrow(self, width: float, near: Collection[Key] = (), only_one: bool = False) -> list[Target]:
        """The hidden counts whose interval is narrower than `width`. Raises Contradiction.

        Each solution is a world that fits; two worlds that differ enough in a cell prove it wide without solving for
        it, so most cells cost nothing. Cells that another of the tables shows are passed over. `near` are looked at
        first, and `only_one` stops at the first narrow cell.
        """
        found: list[Target] = []
        for solver, every in self._parts():
            objectives = {target: place for target, place in every.items() if not self._is_public(target)}
            seen: dict[Target, tuple[float, float]] = {target: (math.inf, -math.inf) for target in objectives}
            for target in sorted(objectives, key=lambda one: one[2] not in near):
                if self._is_narrow(target, width, solver, objectives, seen):
                    found.append(target)
                    if only_one:
                        return found
        return found

    def _is_public(self, target: Target) -> bool:
        """Whether another of the tables shows the very cell: then its count is no secret this table could keep."""
        number, measure, key = target
        return (measure, self._grids[number].cell(key)) in self._public

    def _is_narrow(
        self,
        target: Target,
        width: float,
        solver: _Solver,
        objectives: dict[Target, int],
        seen: dict[Target, tuple[float, float]],
    ) -> bool:
        for sign in (1, -1):
            if self._widen(target, *seen[target]).width >= width:
                return False
            solver.extreme(objectives[target], sign)
            for other, place in objectives.items():
                low, high = seen[other]
                value = float(solver.world[place]) * self._scale(other)
                seen[other] = (min(low, value), max(high, value))
        return self._widen(target, *seen[target]).width < width

    def _parts(self) -> Iterator[tuple[_Solver, dict[Target, int]]]:
        """The system cut into the pieces that no constraint connects, those without a hidden cell left out.

        A piece's solver comes with the places of its targets in it.
        """
        from scipy import sparse

        size = len(self._low)
        if any(least > most for least, most in zip(self._low, self._high, strict=True)):
            raise Contradiction("two tables show counts of one cell that no true count fits")
        ends = [(first, place) for terms, _, _ in self._rows for first in [next(iter(terms))] for place in terms]
        graph = sparse.coo_array((np.ones(len(ends)), tuple(zip(*ends, strict=True)) or ([], [])), shape=(size, size))
        labels = sparse.csgraph.connected_components(graph, directed=False)[1]
        objectives: dict[int, dict[Target, int]] = {}
        for target, place in self._objectives().items():
            objectives.setdefault(int(labels[place]), {})[target] = place
        members: dict[int, dict[int, int]] = {label: {} for label in objectives}
        for place, label in enumerate(labels.tolist()):
            if label in members:
                members[label][place] = len(members[label])
        rows: dict[int, list[Row]] = {label: [] for label in objectives}
        for terms, least, most in self._rows:
            label = int(labels[next(iter(terms))])
            if label in rows:
                local = members[label]
                rows[label].append(({local[place]: value for place, value in terms.items()}, least, most))
        for label, wanted in objectives.items():
            local = members[label]
            solver = _Solver([self._low[p] for p in local], [self._high[p] for p in local], rows[label])
            yield solver, {target: local[place] for target, place in wanted.items()}

    def _widen(self, target: Target, low: float, high: float) -> Interval:
        # A hidden total is known up to its rounded value; the true one lies within the slack of that.
        slack = self._policy.slack if level(target[2]) else 0
        low, high = math.ceil(low - 1e-6) - slack if math.isfinite(low) else low, high + slack
        if math.isfinite(high):
            high = math.floor(high + 1e-6)
        return Interval(max(low, 0), math.inf if high >= self._far else high)

    def _scale(self, target: Target) -> int:
        return self._policy.rounding_base if level(target[2]) else 1

    def _objectives(self) -> dict[Target, int]:
        return {
            (number, measure, key): (place if level(key) else self._true[measure, self._grids[number].cell(key)])
            for (number, measure, key), place in self._rounded.items()
        }

    def _variable(self, low: float, high: float) -> int:
        self._low.append(low)
        self._high.append(high)
        return len(self._low) - 1

    def _add_table(self, number: int) -> None:
        grid, policy = self._grids[number], self._policy
        for measure in MEASURES:
            for key in grid.lattice.cells(measure):
                if key in grid.hidden:
                    units = self._far / policy.rounding_base
                    self._rounded[number, measure, key] = self._variable(0, units)
            for key in grid.lattice.interior:
                self._add_true(number, measure, key)
            for parent, parts in grid.lattice.equations(measure):
                self._add_sum(number, measure, parent, parts)

    def _add_true(self, number: int, measure: str, key: Key) -> None:
        """The true count behind an interior cell: within the slack of its rounded value, shown or not."""
        grid, policy = self._grids[number], self._policy
        name = (measure, grid.cell(key))
        if name not in self._true:
            self._true[name] = self._variable(0, self._far)
        true = self._true[name]
        rounded = self._rounded.get((number, measure, key))
        if rounded is not None:
            self._rows.append(({true: 1.0, rounded: -policy.rounding_base}, -policy.slack, policy.slack))
            return
        value = grid.shown[measure][key] or 0
        self._low[true] = max(self._low[true], value - policy.slack, policy.threshold)
        self._high[true] = min(self._high[true], value + policy.slack)

    def _add_sum(self, number: int, measure: str, parent: Key, parts: Iterable[Key]) -> None:
        grid, base = self._grids[number], self._policy.rounding_base
        terms: dict[int, float] = {}
        constant = 0.0
        for key, sign in [(parent, -1), *((part, 1) for part in parts)]:
            place = self._rounded.get((number, measure, key))
            if place is None:
                constant += sign * (grid.shown[measure][key] or 0)
            else:
                terms[place] = sign * base
        if terms:
            self._rows.append((terms, -constant, -constant))
        elif constant:
            raise Contradiction("a shown total is not the sum of the shown counts")

    def _tie(self, one: int, other: int) -> None:
        """Two tables of one population have the same true total in every cell of the dimensions they share."""
        left, right = self._grids[one], self._grids[other]
        for measure in MEASURES:
            if not (all(left.lattice.additive[measure]) and all(right.lattice.additive[measure])):
                self._cover(measure, left, right)
                self._cover(measure, right, left)
                continue
            sums: list[dict[Cell, list[int]]] = []
            shared = {name for name, _ in _names(left)} & {name for name, _ in _names(right)}
            for grid in (left, right):
                parts: dict[Cell, list[int]] = {}
                for key in grid.lattice.interior:
                    cell = grid.cell(key)
                    place = frozenset(pair for pair in cell if pair[0] in shared)
                    parts.setdefault(place, []).append(self._true[measure, cell])
                sums.append(parts)
            for place in sums[0].keys() & sums[1].keys():
                terms: dict[int, float] = dict.fromkeys(sums[0][place], 1.0)
                for true in sums[1][place]:
                    terms[true] = terms.get(true, 0.0) - 1.0
                if any(terms.values()):
                    self._rows.append((terms, 0, 0))

    def _cover(self, measure: str, coarse: Grid, fine: Grid) -> None:
        """Families may stand in several fine cells: the coarse one is at least each, at most their sum."""
        shared = {name for name, _ in _names(coarse)}
        if not shared < {name for name, _ in _names(fine)} or not all(coarse.lattice.additive[measure]):
            return
        parts: dict[Cell, list[int]] = {}
        for key in fine.lattice.interior:
            cell = fine.cell(key)
            place = frozenset(pair for pair in cell if pair[0] in shared)
            parts.setdefault(place, []).append(self._true[measure, cell])
        for key in coarse.lattice.interior:
            whole = self._true[measure, coarse.cell(key)]
            below = parts.get(coarse.cell(key), [])
            for part in below:
                self._rows.append(({whole: 1.0, part: -1.0}, 0, np.inf))
            if below:
                self._rows.append(({whole: 1.0, **dict.fromkeys(below, -1.0)}, -np.inf, 0))

    def _families_within_people(self) -> None:
        for (measure, cell), people in self._true.items():
            families = self._true.get(("families", cell)) if measure == "individuals" else None
            if families is not None:
                self._rows.append(({people: 1.0, families: -1.0}, 0, np.inf))


class _Solver:
    """HiGHS over the system's matrix; `world` is the last solution: whole counts that fit everything shown."""

    def __init__(self, low: list[float], high: list[float], rows: list[Row]) -> None:
        from scipy import optimize, sparse

        if any(least > most for least, most in zip(low, high, strict=True)):
            raise Contradiction("two tables show counts of one cell that no true count fits")
        self._optimize = optimize
        self._size = len(low)
        self._bounds = optimize.Bounds(np.array(low, dtype=float), np.array(high, dtype=float))
        values = np.array([value for terms, _, _ in rows for value in terms.values()], dtype=float)
        down = np.repeat(np.arange(len(rows)), [len(terms) for terms, _, _ in rows])
        across = np.array([place for terms, _, _ in rows for place in terms], dtype=int)
        matrix = sparse.csc_array((values, (down, across)), shape=(len(rows), self._size))
        least = np.array([least for _, least, _ in rows], dtype=float)
        most = np.array([most for _, _, most in rows], dtype=float)
        self._constraints = [optimize.LinearConstraint(matrix, least, most)] if rows else []
        self.world: Any = np.zeros(self._size)

    def extreme(self, place: int, sign: int) -> float:
        """The greatest (`sign` 1) or least (-1) value of one variable. Raises Contradiction, DependencyUnreachable."""
        weights = np.zeros(self._size)
        weights[place] = -sign
        solved = self._optimize.milp(
            weights,
            integrality=np.ones(self._size),
            bounds=self._bounds,
            constraints=self._constraints,
            options={"time_limit": _SECONDS},
        )
        if solved.status == 2:
            raise Contradiction("no true counts fit what these tables show")
        if solved.x is None:
            raise DependencyUnreachable("R3: the solver found no answer in time; release fewer or smaller tables")
        # Out of time, the best world so far still fits, so the true interval is at least that wide.
        self.world = solved.x
        return float(solved.x[place])


def _names(grid: Grid) -> list[tuple[str, str]]:
    return [pair for key in grid.lattice.interior[:1] for pair in grid.cell(key)]
