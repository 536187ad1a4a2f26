"""The cells of a table with all their totals as arrays: one axis per dimension, groups and totals as further nodes."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from linkage.release.axes import Axis, Bools, Ints, build
from linkage.release.rules import FAMILIES, OUTCOME, ReleasePolicy
from linkage.release.tables import ReleaseSpec

Key = tuple[int, ...]  # one node per axis
NOTHING = -1  # a value that is hidden or that the measure does not have


@dataclass(frozen=True, eq=False)
class Lattice:
    """The axes of a table. Arrays over it are shaped by nodes (`shape`) or by categories alone (`leaf_shape`)."""

    axes: tuple[Axis, ...]

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The names of the axes."""
        return tuple(axis.name for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Nodes per axis."""
        return tuple(len(axis.labels) for axis in self.axes)

    @property
    def leaf_shape(self) -> tuple[int, ...]:
        """Categories per axis."""
        return tuple(axis.leaves for axis in self.axes)

    @property
    def leaf_block(self) -> tuple[slice, ...]:
        """The part of a `shape` array that holds the cells without a total in them."""
        return tuple(slice(axis.leaves) for axis in self.axes)

    @functools.cached_property
    def level(self) -> Ints:
        """Over how many axes each cell is a total; 0 for a cell of categories."""
        out = np.zeros(self.shape, dtype=np.int64)
        for number, axis in enumerate(self.axes):
            steps = (np.arange(len(axis.labels)) >= axis.leaves).astype(np.int64)
            out += steps.reshape([-1 if n == number else 1 for n in range(len(self.axes))])
        return out

    def nodes(self, measure: str) -> tuple[Ints, ...]:
        """Along each axis, the nodes at which `measure` exists: families are not summed where they repeat."""
        return tuple(
            np.arange(axis.leaves if axis.repeats and measure == FAMILIES else len(axis.labels)) for axis in self.axes
        )

    def has(self, measure: str) -> Bools:
        """The cells that have this measure."""
        return self._has[measure == FAMILIES]

    @functools.cached_property
    def _has(self) -> tuple[Bools, Bools]:
        families = np.zeros(self.shape, dtype=bool)
        families[np.ix_(*self.nodes(FAMILIES))] = True
        return np.ones(self.shape, dtype=bool), families

    def sums(self, leaves: Ints) -> Ints:
        """All totals over a `leaf_shape` array; those a measure does not have are to be masked by `has`."""
        out = leaves
        for number, axis in enumerate(self.axes):
            out = np.moveaxis(np.tensordot(axis.members.astype(np.int64), out, axes=(1, number)), 0, number)
        return out

    def equations(self, measure: str) -> Iterator[tuple[Ints, Ints]]:
        """Each sum along each axis: flat numbers of the totals (n), and of the parts of each (n by parts)."""
        flat = np.arange(int(np.prod(self.shape))).reshape(self.shape)
        allowed = self.nodes(measure)
        for number, axis in enumerate(self.axes):
            others = flat[np.ix_(*(np.arange(len(axis.labels)) if n == number else a for n, a in enumerate(allowed)))]
            others = np.moveaxis(others, number, 0).reshape(len(axis.labels), -1)
            for node, parts in enumerate(axis.children):
                if parts and node in allowed[number]:
                    yield others[node], others[list(parts)].T

    def under(self, key: Key) -> tuple[Ints, ...]:
        """An open mesh over the `leaf_shape` cells that `key` is the sum of."""
        return np.ix_(*(np.flatnonzero(axis.members[node]) for axis, node in zip(self.axes, key, strict=True)))

    def label(self, key: Key) -> dict[str, str]:
        """The cell's categories by dimension."""
        return {axis.name: axis.labels[node] for axis, node in zip(self.axes, key, strict=True)}


@dataclass(frozen=True, eq=False)
class Grid:
    """A table as cells: what each shows by measure (NOTHING where hidden or absent), and which cells are hidden."""

    spec: ReleaseSpec
    lattice: Lattice
    shown: Mapping[str, Ints]
    hidden: Bools

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures of this table."""
        return tuple(self.shown)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The axes' names across tables: an outcome is named after what it measures."""
        return tuple(self.spec.outcome or name if name == OUTCOME else name for name in self.lattice.dimensions)

    def visible(self, measure: str) -> Ints:
        """What is shown of a measure; NOTHING where the cell is hidden."""
        return np.where(self.hidden, NOTHING, self.shown[measure])

    def hiding(self, hidden: Bools) -> Grid:
        """The same table with other cells hidden."""
        return replace(self, hidden=hidden)


def lay_out(dimensions: tuple[str, ...], found: Mapping[str, set[str]], policy: ReleasePolicy) -> Lattice:
    """The lattice over the categories `found` in a table, in the policy's order where it lists them."""
    axes = []
    for name in dimensions:
        told = policy.dimensions[name]
        present = found[name] - set(told.groups) - {policy.total}
        ordered = [part for part in told.categories if part in present] or sorted(present)
        axes.append(build(name, ordered, told.groups, policy.total, told.families_may_repeat))
    return Lattice(tuple(axes))


def alignment(one: Grid, other: Grid) -> tuple[tuple[Ints, ...], tuple[Ints, ...]] | None:
    """The cells that stand in both tables, as open meshes into `one` and `other` of one shape; None without any.

    A dimension that only one of them has stands at its total there.
    """
    mine = dict(zip(one.names, one.lattice.axes, strict=True))
    theirs = dict(zip(other.names, other.lattice.axes, strict=True))
    left: dict[str, list[int]] = {}
    right: dict[str, list[int]] = {}
    shared = [name for name in one.names if name in theirs]
    for name in shared:
        labels = [label for label in mine[name].labels if label in theirs[name].places]
        left[name] = [mine[name].places[label] for label in labels]
        right[name] = [theirs[name].places[label] for label in labels]
    for axes, out, there in ((mine, left, theirs), (theirs, right, mine)):
        for name, axis in axes.items():
            if name not in there:
                if len(axis.labels) == axis.leaves:
                    return None  # no total over it
                out[name] = [len(axis.labels) - 1]
    if not all(left.values()) or not all(right.values()):
        return None
    return _mesh(one.names, shared, left), _mesh(other.names, shared, right)


def _mesh(names: tuple[str, ...], shared: list[str], chosen: Mapping[str, list[int]]) -> tuple[Ints, ...]:
    """Index arrays for one table whose broadcast shape follows the shared names' order."""
    out = []
    for name in names:
        picked = np.array(chosen[name], dtype=np.int64)
        size = [1] * len(shared)
        if name in shared:
            size[shared.index(name)] = len(picked)
        out.append(picked.reshape(size))
    return tuple(out)
