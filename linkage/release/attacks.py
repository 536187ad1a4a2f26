"""Which tables an outsider puts together against the hidden counts of one (R3, R4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from linkage.release.axes import Bools, Reals
from linkage.release.lattice import Grid, alignment
from linkage.release.proof import Known, find_world
from linkage.release.rules import ReleasePolicy
from linkage.release.system import Contradiction, System, Target


@dataclass(frozen=True, eq=False)
class Attack:
    """Tables attacked together, with a world that fits what all of them show; the last is under protection.

    `tables` have the counts of that world. `skip`: by table, cells that this attack passes over.
    """

    tables: tuple[Known, ...]
    skip: tuple[Bools, ...]
    system: System
    world: Reals

    def starting_at(self, world: Reals) -> Attack:
        """The same attack with the counts of another world."""
        tables = [Known(one.grid, self.system.counts(world, n)) for n, one in enumerate(self.tables)]
        return replace(self, tables=tuple(tables), world=world)

    @property
    def own(self) -> int:
        """The number of the table under protection."""
        return len(self.tables) - 1

    def passes_over(self, target: Target) -> bool:
        """Whether a hidden count is not this attack's question."""
        return bool(self.skip[target[0]][target[2]])


def attacks(table: Known, others: Sequence[Known], policy: ReleasePolicy) -> list[Attack]:
    """All tables together, and the table alone for the cells that another table shows.

    A cell that is shown elsewhere cannot be protected any more, but how it changed can: together such a cell is passed
    over, alone it is not. Where no true counts fit all tables (people withdrew since) the table stands alone, and R4
    keeps hidden what the others hid. Raises Contradiction when the table contradicts itself.
    """
    out = []
    shown_elsewhere = np.ones(table.grid.lattice.shape, dtype=bool)
    if others:
        try:
            together = (*others, table)
            skip = tuple(_shown_elsewhere(number, [one.grid for one in together]) for number in range(len(together)))
            out.append(_attack(together, skip, policy))
            shown_elsewhere = skip[-1]
        except Contradiction:
            pass
    if not out or (table.grid.hidden & shown_elsewhere).any():
        out.append(_attack((table,), (~shown_elsewhere,), policy))
    return out


def _attack(tables: tuple[Known, ...], skip: tuple[Bools, ...], policy: ReleasePolicy) -> Attack:
    system = System([one.grid for one in tables], policy)
    world = find_world(system, [one.counts for one in tables])
    return Attack(tables, skip, system, world).starting_at(world)


def _shown_elsewhere(number: int, grids: Sequence[Grid]) -> Bools:
    """The cells of one table that another of the tables shows."""
    out = np.zeros(grids[number].lattice.shape, dtype=bool)
    for other, grid in enumerate(grids):
        both = None if other == number else alignment(grids[number], grid)
        if both is not None:
            mine, theirs = both
            out[mine] |= ~grid.hidden[theirs]
    return out
