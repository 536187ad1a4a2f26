"""HiGHS over the attacker's system: a world that fits, and the least and greatest value of a hidden count (R3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from linkage.errors import DependencyUnreachable
from linkage.release.axes import Ints, Reals
from linkage.release.lattice import NOTHING
from linkage.release.system import Contradiction, System

_SECONDS, _SECONDS_FOR_A_WORLD = 10.0, 120.0
_TOGETHER = 1500  # variables solved together; beyond, only those near the question change

Also = tuple[Ints, float, float]  # variables, and the least and greatest sum of them


def any_world(system: System, also: Also | None = None) -> Reals:
    """Some world that fits; `also` bounds the sum of some variables.

    Raises Contradiction, DependencyUnreachable.
    Whole rounded counts nearly always come with whole true ones, and the first answer is good enough; a random goal
    leads there sooner than none.
    """
    places = np.concatenate([part[part != NOTHING] for told in system.rounded for part in told.values()])
    whole = np.zeros(system.size)
    whole[places] = 1
    weights = np.zeros(system.size)
    weights[places] = -np.random.default_rng(0).random(len(places))
    everything = np.arange(system.size)
    world = _highs(system, weights, np.zeros(system.size), everything, whole, {"mip_rel_gap": 1e9}, also)
    if not system.fits(world[:, None])[0]:
        world = _highs(system, weights, np.zeros(system.size), everything, whole + 1, {"mip_rel_gap": 1e9}, also)
    return world


def solve(system: System, weights: Reals, world: Reals, places: Ints) -> Reals:
    """A world with the greatest `weights @ world` in which only `places` differ from `world`. Raises Contradiction."""
    return _highs(system, weights, world, places, np.ones(system.size), {"time_limit": _SECONDS})


def _highs(
    system: System,
    weights: Reals,
    world: Reals,
    places: Ints,
    whole: Reals,
    options: dict[str, float],
    also: Also | None = None,
) -> Reals:
    from scipy import optimize

    low, high = system.low, system.high
    if (low > high).any():
        raise Contradiction("two tables show counts of one cell that no true count fits")
    world = world.copy()
    if not len(places):
        return world
    columns = system.columns[:, places].tocsr()
    rows = np.flatnonzero(np.diff(columns.indptr))
    world[places] = 0
    rest = (system.matrix @ world)[rows]
    told = [(columns[rows], system.least[rows] - rest, system.most[rows] - rest)] if len(rows) else []
    if also is not None:
        terms, least, most = also
        told.append((np.isin(places, terms)[None].astype(float), np.array([least]), np.array([most])))
    solved = optimize.milp(
        -weights[places],
        integrality=np.minimum(whole[places], 1),
        bounds=optimize.Bounds(low[places], high[places]),
        constraints=[optimize.LinearConstraint(*one) for one in told] or None,
        options={"time_limit": _SECONDS_FOR_A_WORLD} | options,
    )
    if solved.status == 2:
        raise Contradiction("no true counts fit what these tables show")
    if solved.x is None:
        raise DependencyUnreachable("R3: the solver found no answer in time; release fewer or smaller tables")
    # Out of time, the best world so far still fits, so the true interval is at least that wide.
    world[places] = np.rint(solved.x)
    return world


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


def extremes(system: System, world: Reals, terms: Ints, places: Ints) -> list[Reals]:
    """Worlds in which the sum of `terms` is greatest and least while only `places` change."""
    weights = np.zeros(system.size)
    weights[terms] = 1.0
    return [solve(system, sign * weights, world, places) for sign in (1.0, -1.0)]


def _indices(pointers: Ints, indices: Ints, which: Sequence[int] | Ints) -> Any:
    parts = [indices[pointers[n] : pointers[n + 1]] for n in which]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
