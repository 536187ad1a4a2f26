"""HiGHS over the attacker's system: a world that fits, and one far enough from it in a hidden count (R3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linkage.errors import DependencyUnreachable
from linkage.release.axes import Bools, Ints, Reals
from linkage.release.lattice import NOTHING
from linkage.release.system import Contradiction, System

_SECONDS, _SECONDS_FOR_A_WORLD = 10.0, 120.0
_TOGETHER = 1500  # variables solved together; beyond, only those near the question change

Also = tuple[Ints, float, float]  # variables, and the least and greatest sum of them


@dataclass(frozen=True)
class Aim:
    """The sum of some variables (`terms`) is to be at least `sum`, or at most where not `up`."""

    terms: Ints
    sum: float
    up: bool


def any_world(system: System, also: Also | None = None) -> Reals:
    """Some world that fits, with room to move in it; `also` bounds the sum of some variables.

    As many rounded counts as can be are at least as large as a move takes away. Whole rounded counts nearly always
    come with whole true ones. Raises Contradiction, DependencyUnreachable.
    """
    from scipy import sparse

    rounded = np.concatenate([part[part != NOTHING] for told in system.rounded for part in told.values()])
    count, units = len(rounded), -(-system.policy.interval_width // system.policy.rounding_base)
    pick = sparse.csr_array((np.ones(count), (np.arange(count), rounded)), shape=(count, system.size))
    matrix = sparse.block_array([[system.matrix, None], [pick, -sparse.eye_array(count)]])
    least, most = (np.append(part, np.full(count, end)) for part, end in ((system.least, 0.0), (system.most, np.inf)))
    if also is not None:
        row = sparse.csr_array(np.isin(np.arange(system.size + count), also[0])[None].astype(float))
        matrix = sparse.vstack([matrix, row])
        least, most = np.append(least, also[1]), np.append(most, also[2])
    low = np.append(system.low, np.zeros(count))
    high = np.append(system.high, np.full(count, float(units)))
    goal = np.append(np.zeros(system.size), np.ones(count))
    for whole in (np.isin(np.arange(len(goal)), rounded), np.arange(len(goal)) < system.size):
        options = {"time_limit": _SECONDS_FOR_A_WORLD, "mip_rel_gap": 0.2}
        world = _highs(goal, whole, (low, high), (matrix, least, most), options)[: system.size]
        if system.fits(world[:, None])[0]:
            break
    return world


def solve(system: System, world: Reals, places: Ints, aim: Aim | None = None) -> Reals:
    """A world in which only `places` differ from `world`, as near to the aim as can be. Raises Contradiction.

    The aim is reached or cannot be: the solver is not sent beyond it, where a proof of the very last unit costs most.
    Whole rounded counts nearly always come with whole true ones, so that the others are asked for only where not.
    """
    from scipy import sparse

    world = world.copy()
    if not len(places):
        return world
    columns = system.columns[:, places].tocsr()
    rows = np.flatnonzero(np.diff(columns.indptr))
    world[places] = 0
    rest = (system.matrix @ world)[rows]
    matrix, least, most = columns[rows], system.least[rows] - rest, system.most[rows] - rest
    low, high, goal = system.low[places], system.high[places], np.zeros(len(places))
    if aim is not None:
        # One more variable, never beyond the aim: the sum of the terms, or its negative, is at least that.
        sign = 1.0 if aim.up else -1.0
        inside = np.isin(places, aim.terms).astype(float)
        outside = sign * world[aim.terms].sum()
        row = sparse.csr_array(np.append(sign * inside, -1.0)[None])
        matrix = sparse.vstack([sparse.hstack([matrix, sparse.csr_array((len(rows), 1))]), row]).tocsr()
        least, most = np.append(least, -outside), np.append(most, np.inf)
        low, high = np.append(low, -np.inf), np.append(high, sign * aim.sum)
        goal = np.append(goal, 1.0)
    rounded = np.append(system.is_rounded[places], np.zeros(len(goal) - len(places), dtype=bool))
    for whole in (rounded, np.arange(len(goal)) < len(places)):
        found = _highs(goal, whole, (low, high), (matrix, least, most), {"time_limit": _SECONDS})
        world[places] = found[: len(places)]
        if system.fits(world[:, None])[0]:
            break
    return world


def _highs(
    goal: Reals,
    whole: Bools,
    bounds: tuple[Reals, Reals],
    rows: tuple[Any, Reals, Reals],
    options: dict[str, float],
) -> Reals:
    """The variables with the greatest `goal`; those marked `whole` as whole numbers, the others rounded afterwards."""
    from scipy import optimize

    if (bounds[0] > bounds[1]).any():
        raise Contradiction("two tables show counts of one cell that no true count fits")
    solved = optimize.milp(
        -goal,
        integrality=whole.astype(int),
        bounds=optimize.Bounds(*bounds),
        constraints=optimize.LinearConstraint(*rows) if rows[0].shape[0] else None,
        options=options,
    )
    if solved.status == 2:
        raise Contradiction("no true counts fit what these tables show")
    if solved.x is None:
        raise DependencyUnreachable("R3: the solver found no answer in time; release fewer or smaller tables")
    # Out of time, the best world so far still fits, so the true interval is at least that wide.
    found: Reals = np.rint(solved.x)
    return found


def near(system: System, terms: Ints) -> tuple[Ints, bool]:
    """The variables that can change together with those of `terms`, and whether these are all; else the nearest."""
    open_ = system.low < system.high
    chosen = np.zeros(system.size, dtype=bool)
    chosen[terms] = True
    edge = terms
    matrix, columns = system.matrix, system.columns
    while len(edge):
        rows = np.unique(_indices(columns.indptr, columns.indices, edge))
        reached = np.unique(_indices(matrix.indptr, matrix.indices, rows))
        edge = reached[open_[reached] & ~chosen[reached]]
        if int(chosen.sum()) + len(edge) > _TOGETHER and int(chosen.sum()) > len(terms):
            return np.flatnonzero(chosen), False
        chosen[edge] = True
    return np.flatnonzero(chosen), True


def worlds_apart(system: System, terms: Ints, least: float, most: float, width: float) -> list[Reals]:
    """A world in which the sum of `terms` is `width` above `least`, or below `most`, if there is one."""
    for bounds in ((least + width, np.inf), (-np.inf, most - width)):
        try:
            return [any_world(system, also=(terms, *bounds))]
        except Contradiction:
            continue
    return []


def _indices(pointers: Ints, indices: Ints, which: Sequence[int] | Ints) -> Any:
    parts = [indices[pointers[n] : pointers[n + 1]] for n in which]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
