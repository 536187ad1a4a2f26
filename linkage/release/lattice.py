"""The cells of a table with all their totals, and the sums that tie them together.

A table has at most a few thousand cells, so they are handled one by one here, in plain Python; people never are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from linkage.release.rules import MEASURES, OUTCOME, ReleasePolicy
from linkage.release.tables import ReleaseSpec

Key = tuple[str | None, ...]  # one category per dimension; None is the total over it
Cell = frozenset[tuple[str, str]]  # the same cell in any table: its categories by name, totals left out
Equation = tuple[Key, tuple[Key, ...]]  # a total and the cells that sum to it


@dataclass(frozen=True)
class Lattice:
    """Dimensions, the categories present in each, and for each measure which dimensions may be summed over."""

    dimensions: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    additive: Mapping[str, tuple[bool, ...]]

    @cached_property
    def interior(self) -> tuple[Key, ...]:
        """The cells without a total in them."""
        return tuple(itertools.product(*self.categories))

    def cells(self, measure: str = "individuals") -> tuple[Key, ...]:
        """Every cell that has this measure, interior ones first."""
        return self._cells[measure]

    @cached_property
    def _cells(self) -> dict[str, tuple[Key, ...]]:
        every: dict[str, tuple[Key, ...]] = {}
        for measure in MEASURES:
            axes = [self._axis(measure, number) for number in range(len(self.dimensions))]
            every[measure] = tuple(sorted(itertools.product(*axes), key=level))
        return every

    def _axis(self, measure: str, number: int) -> tuple[str | None, ...]:
        # A total over a single category would repeat that category's cell.
        if self.additive[measure][number] and len(self.categories[number]) > 1:
            return (*self.categories[number], None)
        return self.categories[number]

    def equations(self, measure: str) -> tuple[Equation, ...]:
        """Each total with its parts, along every dimension it is a total over."""
        return self._equations[measure]

    @cached_property
    def _equations(self) -> dict[str, tuple[Equation, ...]]:
        return {measure: tuple(self._make_equations(measure)) for measure in MEASURES}

    def _make_equations(self, measure: str) -> Iterator[Equation]:
        for key in self.cells(measure):
            for number, category in enumerate(key):
                if category is None:
                    yield key, tuple(_with(key, number, part) for part in self.categories[number])

    @cached_property
    def sums_of(self) -> dict[Key, tuple[Equation, ...]]:
        """The sums each cell stands in, as the total or as a part."""
        found: dict[Key, list[Equation]] = {key: [] for key in self.cells()}
        for equation in self.equations("individuals"):
            for key in (equation[0], *equation[1]):
                found[key].append(equation)
        return {key: tuple(sums) for key, sums in found.items()}

    @cached_property
    def neighbours(self) -> dict[Key, frozenset[Key]]:
        """The cells that stand in a sum together with each cell."""
        found: dict[Key, set[Key]] = {key: set() for key in self.cells()}
        for parent, parts in self.equations("individuals"):
            together = {parent, *parts}
            for key in together:
                found[key] |= together - {key}
        return {key: frozenset(others) for key, others in found.items()}

    def total(self, counts: Mapping[Key, int], key: Key, measure: str = "individuals") -> int:
        """The sum of the interior `counts` under `key`; for a measure that repeats, call it on its own keys only."""
        free = [self.categories[n] if category is None else (category,) for n, category in enumerate(key)]
        if not all(self.additive[measure][n] for n, category in enumerate(key) if category is None):
            raise ValueError(f"{measure} cannot be summed over this dimension")
        return sum(counts[inner] for inner in itertools.product(*free))


@dataclass(frozen=True)
class Grid:
    """A table as cells: what each shows by measure. A hidden cell has None in every measure."""

    spec: ReleaseSpec
    lattice: Lattice
    shown: Mapping[str, Mapping[Key, int | None]]
    hidden: frozenset[Key] = field(default_factory=frozenset)

    def cell(self, key: Key) -> Cell:
        """The cell's name across tables; an outcome is named after what it measures."""
        names = [self.spec.outcome or name if name == OUTCOME else name for name in self.lattice.dimensions]
        return frozenset((name, part) for name, part in zip(names, key, strict=True) if part is not None)

    def value(self, key: Key, measure: str = "individuals") -> int | None:
        """What the cell shows; None when hidden."""
        return None if key in self.hidden else self.shown[measure].get(key)


def level(key: Key) -> int:
    """How many dimensions a cell is a total over; 0 for an interior cell."""
    return sum(category is None for category in key)


def build(dimensions: tuple[str, ...], found: Mapping[str, set[str]], policy: ReleasePolicy) -> Lattice:
    """The lattice over the categories `found` in a table, in the policy's order where it lists them."""
    ordered = []
    for name in dimensions:
        listed = policy.dimensions[name].categories
        ordered.append(tuple(part for part in listed if part in found[name]) or tuple(sorted(found[name])))
    families = tuple(not policy.dimensions[name].families_may_repeat for name in dimensions)
    return Lattice(dimensions, tuple(ordered), {"individuals": tuple(True for _ in dimensions), "families": families})


def _with(key: Key, number: int, category: str) -> Key:
    return (*key[:number], category, *key[number + 1 :])
