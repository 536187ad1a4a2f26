"""Moves from one world to another: which other cells must be hidden so that a hidden count stays open (R3).

A move shifts counts by the same number of rounding units along a pattern that leaves every sum as it was. The pattern
is a product over the axes: along each, one category goes up and another down, or one goes up with every total over it.
In a table of n axes without totals these are the corners of a box (the hypercube method: Repsilber 1994, Giessing and
Repsilber 2002); with groups and totals among the nodes the same product serves hierarchies, and tables of the same
people whose shared dimensions change with it. All boxes for one cell are priced at once, as array products.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linkage.release.axes import Axis, Bools, Ints, Reals
from linkage.release.lattice import Grid, Key
from linkage.release.rules import ReleasePolicy

NEVER = 1e7  # the price of a cell that cannot take part
_PAIRS = 400  # most pairs of categories tried along one axis for a total


Options = dict[str, tuple[Ints, Ints]]  # by axis name: the category that goes up, and the one that goes down


@dataclass(frozen=True)
class Move:
    """Signed support by table: flat cell numbers, their signs (+1, -1), and the units to shift, up and down."""

    cells: Mapping[int, tuple[Ints, Ints]]
    up: int
    down: int
    price: float


@dataclass
class Board:
    """Several tables of one population in one world, and what hiding each cell would cost.

    `price`: by table, 0 for a hidden cell, NEVER for one that is published already.
    """

    grids: Sequence[Grid]
    counts: Sequence[Mapping[str, Ints]]
    hideable: Sequence[bool]
    tied: Sequence[bool]
    policy: ReleasePolicy
    hidden: list[Bools] = field(init=False)
    worth: list[Reals] = field(init=False)
    price: list[Reals] = field(init=False)
    _fixed: dict[int, tuple[Reals, ...]] = field(init=False, default_factory=dict)
    _maps: dict[tuple[Axis, Axis], Ints] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.hidden = [grid.hidden.copy() for grid in self.grids]
        self.price, self.worth = [], []
        for grid, counts, hideable in zip(self.grids, self.counts, self.hideable, strict=True):
            size = np.maximum(grid.lattice.sums(counts[grid.measures[0]]), 1)
            # A total says more than a cell, and a large cell more than a small one.
            worth = 1.0 + 0.05 * np.log10(size) + 2.0 * grid.lattice.level
            self.worth.append(worth)
            self.price.append(np.where(grid.hidden, 0.0, worth if hideable else NEVER))

    @property
    def needed(self) -> int:
        """Units by which a count must be able to move to leave an interval that is wide enough."""
        return -(-self.policy.interval_width // self.policy.rounding_base)

    def hide(self, number: int, cells: Ints) -> None:
        """Hide cells (flat numbers) of one table."""
        self.hidden[number].ravel()[cells] = True
        self.price[number].ravel()[cells] = 0.0

    def show(self, number: int, cell: int) -> None:
        """Take a hidden cell out of every further move."""
        self.hidden[number].ravel()[cell] = False
        self.price[number].ravel()[cell] = NEVER

    def fixed(self, number: int, units: int) -> Reals:
        """NEVER at the categories' cells that cannot go down by `units`, in every measure; 0 elsewhere."""
        lattice, base = self.grids[number].lattice, self.policy.rounding_base
        stuck = np.zeros(lattice.leaf_shape, dtype=bool)
        for counts in self.counts[number].values():
            # Where another table counts the same people, the true sum must be kept exactly.
            stuck |= (counts if self.tied[number] else self.policy.round_all(counts)) < units * base
        out = np.zeros(lattice.shape)
        out[lattice.leaf_block] = np.where(stuck, NEVER, 0.0)
        return out

    def best(self, number: int, key: Key, free: bool = False) -> Move | None:
        """The cheapest move that leaves the cell `key` open; None without any. `free`: only one that costs nothing."""
        found: Move | None = None
        limit = 1e-6 if free else NEVER / 10
        grid = self.grids[number]
        for kinds in sorted(itertools.product((False, True), repeat=len(grid.lattice.axes)), key=sum):
            if self._at_least(number, key, kinds) >= limit:
                continue
            options = _options(grid, key, kinds)
            move = None if options is None else self._cheapest(number, options, limit)
            if move is not None:
                found, limit = move, move.price
                if limit <= 0:
                    break
        return found

    def _at_least(self, number: int, key: Key, kinds: Sequence[bool]) -> float:
        """What a move costs in any case: the cell itself and, along rising axes, the totals over it."""
        axes = self.grids[number].lattice.axes
        nodes = [
            np.flatnonzero((axis.members >= axis.members[node]).all(axis=1)) if rise else np.array([node])
            for axis, node, rise in zip(axes, key, kinds, strict=True)
        ]
        return float(self.price[number][np.ix_(*nodes)].sum())

    def _cheapest(self, number: int, options: Options, limit: float) -> Move | None:
        """The cheapest combination of options below `limit`, over all tables that they touch."""
        touched = self._touched(number, options)
        prices = [self._prices(table, nodes) for table, nodes in touched.items()]
        names = list(options)
        whole = np.zeros((3, *(len(up) for up, _ in options.values())))
        for table, price in zip(touched, prices, strict=True):
            grid = self.grids[table]
            own = tuple(n + 1 for n, name in enumerate(grid.names) if name not in options)
            least = price.min(axis=own) if own else price
            shared = [name for name in grid.names if name in options]
            least = least.transpose([0, *(shared.index(name) + 1 for name in names if name in shared)])
            whole = whole + least.reshape([3, *(len(options[name][0]) if name in shared else 1 for name in names)])
        place = int(whole.argmin())
        if whole.flat[place] >= limit - 1e-9:
            return None
        way, *chosen = (int(n) for n in np.unravel_index(place, whole.shape))
        picked = dict(zip(names, chosen, strict=True))
        cells = {}
        for (table, nodes), price in zip(touched.items(), prices, strict=True):
            grid = self.grids[table]
            part = price[way][
                tuple(slice(picked[name], picked[name] + 1) if name in picked else slice(None) for name in grid.names)
            ]
            at = np.unravel_index(int(part.argmin()), part.shape)
            rows = [node[picked.get(name, int(n))] for name, node, n in zip(grid.names, nodes, at, strict=True)]
            cells[table] = _support(grid.lattice.shape, rows)
        up, down = self._ways[way]
        return Move(cells, up, down, float(whole.flat[place]))

    @property
    def _ways(self) -> tuple[tuple[int, int], ...]:
        """Units up and down that leave a count wide enough: all one way, all the other, or half and half."""
        half = -(-self.needed // 2)
        return (self.needed, 0), (0, self.needed), (half, half)

    def _touched(self, number: int, options: Options) -> dict[int, list[Reals]]:
        """The tables in which the true counts change, and by axis of each the options as changes of its nodes."""
        source = self.grids[number]
        pairs = {name for name, (_, down) in options.items() if (down >= 0).all()}
        out = {}
        for table, grid in enumerate(self.grids):
            if pairs - set(grid.names):
                continue  # what goes up and what goes down are one cell in this table
            nodes = []
            for name, axis in zip(grid.names, grid.lattice.axes, strict=True):
                if name in options:
                    nodes.append(self._nodes(source.lattice.axes[source.names.index(name)], axis, options[name]))
                else:
                    nodes.append(axis.rise)
            out[table] = nodes
        return out

    def _nodes(self, source: Axis, axis: Axis, option: tuple[Ints, Ints]) -> Reals:
        """Options along `source` as changes of the nodes of `axis`, and NEVER marks what it has no category for."""
        up, down = option
        if source is not axis:
            if (source, axis) not in self._maps:
                known = {label: place for place, label in enumerate(axis.labels[: axis.leaves])}
                # One place beyond the last is a category that this axis lacks, and -1 stays nothing.
                self._maps[source, axis] = np.array(
                    [known.get(label, axis.leaves) for label in source.labels[: source.leaves]] + [-1]
                )
            up, down = self._maps[source, axis][up], self._maps[source, axis][down]
        rise = np.vstack([axis.rise, np.full((1, len(axis.labels)), NEVER), np.zeros((1, len(axis.labels)))])
        return np.asarray(rise[up] - rise[down])

    def _prices(self, table: int, nodes: Sequence[Reals]) -> Reals:
        """By way, the price of every combination: 0 for hidden cells, NEVER where a count cannot go down far enough."""
        stacked, tall = self._stacks(table)
        missing = np.zeros([1] * len(nodes))
        clean = []
        for number, rows in enumerate(nodes):
            lacks = np.abs(rows).max(axis=1) >= NEVER / 2
            clean.append(np.where(lacks[:, None], 0.0, rows) if lacks.any() else rows)
            missing = missing + np.where(lacks, NEVER, 0.0).reshape(
                [-1 if n == number else 1 for n in range(len(nodes))]
            )
        price, full, half = _chain(stacked, [np.abs(rows) for rows in clean])
        apart = _chain(tall[None], clean)[0]
        return np.stack([price + (full - apart) / 2, price + (full + apart) / 2, price + half]) + missing

    def _stacks(self, table: int) -> tuple[Reals, Reals]:
        if table not in self._fixed:
            self._fixed[table] = tuple(self.fixed(table, units) for units in (self.needed, self._ways[2][0]))
        full, half = self._fixed[table]
        return np.stack([self.price[table], full, half]), full


def _options(grid: Grid, key: Key, kinds: Sequence[bool]) -> Options | None:
    """By axis name, which category goes up and which goes down (-1: none, every total over it goes up too).

    `kinds`: True for a rise without a fall. None where an axis has nothing that could go down.
    """
    out = {}
    for name, axis, node, rise in zip(grid.names, grid.lattice.axes, key, kinds, strict=True):
        inside = np.flatnonzero(axis.members[node])
        outside = np.flatnonzero(~axis.members[node])
        if rise:
            out[name] = inside, np.full(len(inside), -1)
        elif len(outside):
            up, down = (part.ravel() for part in np.meshgrid(inside, outside, indexing="ij"))
            out[name] = up[:_PAIRS], down[:_PAIRS]
        else:
            return None
    return out


def _chain(stack: Reals, rows: Sequence[Reals]) -> Reals:
    """Every array of a stack times the options of each axis in turn."""
    out: Any = stack
    for number, row in enumerate(rows, start=1):
        out = np.moveaxis(np.tensordot(row, out, axes=(1, number)), 0, number)
    return np.asarray(out)


def _support(shape: tuple[int, ...], rows: Sequence[Reals]) -> tuple[Ints, Ints]:
    """The cells of one product: flat numbers and signs."""
    places = [np.flatnonzero(row) for row in rows]
    signs = np.ones([len(place) for place in places])
    for number, (place, row) in enumerate(zip(places, rows, strict=True)):
        signs = signs * row[place].reshape([-1 if n == number else 1 for n in range(len(rows))])
    flat = np.ravel_multi_index(np.ix_(*places), shape)
    return flat.ravel(), signs.ravel().astype(np.int64)
