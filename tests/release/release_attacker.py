"""An attacker of published tables: whole-number programming over the published text, written without the gate's code.

Knows docs/release.md: shown counts are rounded to 5 and at least 10 in truth; totals are sums of rounded counts, hidden
ones too; hidden counts have a rounded value as well; no cell has more families than people; rates are quotients of
rounded counts; tables of one population count the same people. Of a re-run it knows how many people have withdrawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

FAR = 100_000
Cell = tuple[tuple[str, str], ...]  # sorted (dimension, category), totals left out


class Attacker:
    """All the published tables of some people, and what they leave open."""

    def __init__(self, regions: Mapping[str, Iterable[str]]) -> None:
        self.regions = {name: set(inside) for name, inside in regions.items()}
        self.low: list[float] = []
        self.high: list[float] = []
        self.rows: list[tuple[dict[int, float], float, float]] = []
        self.true: list[dict[tuple[str, Cell], int]] = []

    def variable(self, low: float = 0, high: float = FAR) -> int:
        self.low.append(low)
        self.high.append(high)
        return len(self.low) - 1

    def row(self, terms: dict[int, float], low: float, high: float) -> None:
        self.rows.append((terms, low, high))

    # ------------------------------------------------------------ reading what was published

    def read(self, frame: pl.DataFrame, outcome: str | None) -> None:
        """Take in one published table."""
        dimensions = [name for name in ("authority", "status", "outcome") if name in frame.columns]
        parts = {name: set(frame[name]) - {"Total"} - set(self.regions) for name in dimensions}
        names = {name: outcome or "" if name == "outcome" else name for name in dimensions}
        true: dict[tuple[str, Cell], int] = {}
        rounded: dict[tuple[str, tuple[str, ...]], dict[int, float] | int] = {}
        published = {tuple(row[name] for name in dimensions): row for row in frame.to_dicts()}
        for place in itertools.product(*(sorted(parts[name]) for name in dimensions)):
            cell = tuple(sorted((names[name], part) for name, part in zip(dimensions, place, strict=True)))
            for measure in ("individuals", "families"):
                text = published[place][measure]
                if text == "[c]":
                    true[measure, cell], units = self.variable(), self.variable()
                    self.row({true[measure, cell]: 1, units: -5}, -2, 2)
                    rounded[measure, place] = {units: 5.0}
                else:
                    true[measure, cell] = self.variable(max(int(text) - 2, 10), int(text) + 2)
                    rounded[measure, place] = int(text)
            self.row({true["individuals", cell]: 1, true["families", cell]: -1}, 0, FAR)
        self.true.append(true)
        for place, row in published.items():
            for measure in ("individuals", "families"):
                if row[measure] in ("[c]", "[x]") or (measure, place) in rounded:
                    continue
                below = [self.regions.get(part, parts[name] if part == "Total" else {part}) & parts[name]
                         for name, part in zip(dimensions, place, strict=True)]  # fmt: skip
                terms: dict[int, float] = {}
                rest = float(row[measure])
                for inner in itertools.product(*below):
                    value = rounded[measure, inner]
                    if isinstance(value, dict):
                        terms |= value
                    else:
                        rest -= value
                self.row(terms, rest, rest)
            if row.get("rate") not in (None, "", "[c]"):
                self._use_rate(dimensions, place, float(row["rate"]), published, rounded)

    def _use_rate(self, dimensions, place, rate, published, rounded) -> None:  # type: ignore[no-untyped-def]
        """A rate binds the two counts it is made of, wherever one of them is hidden."""
        at = dimensions.index("outcome")
        terms: dict[int, float] = {}
        known = [0.0, 0.0]
        for n, part in enumerate(("yes", "no")):
            other = (*place[:at], part, *place[at + 1 :])
            value = rounded.get(("individuals", other), published[other]["individuals"])
            if isinstance(value, dict):
                for variable, weight in value.items():
                    terms[variable] = weight * ((1 - rate) if n == 0 else -rate)
            elif value == "[c]":
                return
            else:
                known[n] = float(value)
        if terms:
            rest = -(known[0] * (1 - rate) - known[1] * rate)
            room = 0.005 * (sum(known) + 100)
            self.row(terms, rest - room, rest + room)

    # ------------------------------------------------------------ putting tables together

    def same_people(self) -> None:
        """Every pair of tables counts the same people."""
        for left, right in itertools.combinations(self.true, 2):
            self._bind(left, right, 0, 0)

    def withdrawn(self, people: int) -> None:
        """The second table is the first without so many people."""
        before, now = self.true
        everything: dict[int, float] = {}
        for (measure, cell), place in before.items():
            if measure == "individuals":
                self.row({place: 1, now[measure, cell]: -1}, 0, people)
                everything |= {place: 1.0, now[measure, cell]: -1.0}
        self.row(everything, people, people)

    def _bind(self, left: dict[tuple[str, Cell], int], right: dict[tuple[str, Cell], int], low: int, high: int) -> None:
        names = [{name for _, cell in true for name, _ in cell} for true in (left, right)]
        shared = names[0] & names[1]
        sums: list[dict[tuple[str, Cell], list[int]]] = [{}, {}]
        for out, true in zip(sums, (left, right), strict=True):
            for (measure, cell), place in true.items():
                key = tuple(pair for pair in cell if pair[0] in shared)
                out.setdefault((measure, key), []).append(place)
        for (measure, key), mine in sums[0].items():
            theirs = sums[1][measure, key]
            if measure == "individuals" or names[0] == names[1]:
                terms = dict.fromkeys(mine, 1.0)
                for place in theirs:
                    terms[place] = terms.get(place, 0.0) - 1.0
                self.row(terms, low, high)
            elif len(mine) == 1 or len(theirs) == 1:  # a family can stand in several of the finer cells
                whole, parts = (mine[0], theirs) if len(mine) == 1 else (theirs[0], mine)
                if (shared < names[0]) != (shared < names[1]):
                    for part in parts:
                        self.row({whole: 1, part: -1}, 0, FAR)
                    self.row({whole: 1, **dict.fromkeys(parts, -1.0)}, -FAR, 0)

    # ------------------------------------------------------------ attacking

    def interval(
        self, cell: Mapping[str, str], outcome: str | None, measure: str, table: int | None = None
    ) -> tuple[float, float] | None:
        """The least and the greatest true count of a planted cell, over every table that has it; None if none has."""
        wanted = tuple(sorted((outcome or "" if name == "outcome" else name, part) for name, part in cell.items()))
        for number, true in enumerate(self.true):
            if (measure, wanted) in true and table in (None, number):
                return self.extremes(true[measure, wanted])
        return None

    def extremes(self, place: int) -> tuple[float, float]:
        values = []
        for sign in (1, -1):
            goal = np.zeros(len(self.low))
            goal[place] = sign
            solved = milp(
                goal, integrality=np.ones(len(goal)), bounds=Bounds(self.low, self.high), constraints=self.matrix()
            )
            assert solved.x is not None, f"the published tables contradict each other: {solved.message}"
            values.append(round(float(solved.x[place])))
        return values[0], values[1]

    def matrix(self) -> list[LinearConstraint]:
        if not hasattr(self, "_matrix"):
            data = [weight for terms, _, _ in self.rows for weight in terms.values()]
            down = np.repeat(np.arange(len(self.rows)), [len(terms) for terms, _, _ in self.rows])
            across = [place for terms, _, _ in self.rows for place in terms]
            shape = (len(self.rows), len(self.low))
            matrix = sparse.csc_array((data, (down, across)), shape=shape)
            self._matrix = [
                LinearConstraint(matrix, [low for _, low, _ in self.rows], [high for _, _, high in self.rows])
            ]
        return self._matrix
