"""The proof that hidden counts stay open: two worlds that both fit what is shown and differ enough in the count (R3).

Most pairs of worlds come from moves, which cost next to nothing; what those leave is put to the solver. Every world is
checked against the whole system before it counts, so a wrong move proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linkage.release import solver
from linkage.release.axes import Ints, Reals
from linkage.release.lattice import NOTHING, Grid
from linkage.release.moves import Move
from linkage.release.system import Contradiction, System, Target

Counts = Mapping[str, Ints]
_AT_ONCE = 64  # worlds checked in one product


@dataclass(frozen=True)
class Known:
    """A table as shown and, where it was made here, its true counts by measure (`leaf_shape` arrays)."""

    grid: Grid
    counts: Counts | None = None


class Proof:
    """What is proved so far about the hidden counts of a system's tables; `world` is one that fits."""

    def __init__(self, system: System, world: Reals) -> None:
        self.system, self.world = system, world
        self.grids, self.policy = system.grids, system.policy
        self.targets = [
            (number, measure, tuple(int(n) for n in key))
            for number, grid in enumerate(self.grids)
            for measure in grid.measures
            for key in np.argwhere(grid.hidden & grid.lattice.has(measure))
        ]
        self._is_rounded = np.array([not system.tied[number] for number, _, _ in self.targets], dtype=bool)
        self._is_total = np.array([self.grids[n].lattice.level[key] > 0 for n, _, key in self.targets], dtype=bool)
        self._terms = [self._variables(target) for target in self.targets]
        self._weights = _rows(self._terms, self.system.size)
        self._least = self._most = self._weights @ self.world

    def _variables(self, target: Target) -> Ints:
        """What is looked at of a target: its true count, or, where only its rounded count is bound, that."""
        number, measure, key = target
        if self.system.tied[number]:
            return self.system.terms(target)
        return np.atleast_1d(self.system.rounded[number][measure][key])

    def add(self, worlds: Iterable[Reals]) -> None:
        """Take worlds into the proof; those that do not fit are left out."""
        waiting: list[Reals] = []
        for world in worlds:
            waiting.append(world)
            if len(waiting) == _AT_ONCE:
                self._take(np.column_stack(waiting))
                waiting = []
        if waiting:
            self._take(np.column_stack(waiting))

    def _take(self, worlds: Reals) -> None:
        good = worlds[:, self.system.fits(worlds)]
        if good.shape[1]:
            values = self._weights @ good
            self._least = np.minimum(self._least, values.min(axis=1))
            self._most = np.maximum(self._most, values.max(axis=1))

    def add_moves(self, moves: Iterable[Move], start: Reals) -> None:
        """Take the worlds that `moves` lead to from the world `start` into the proof, and that world."""
        self.add([start])
        self.add(world for move in moves for world in self._after(move, start))

    def _after(self, move: Move, start: Reals) -> Iterable[Reals]:
        base, system = self.policy.rounding_base, self.system
        for units in (move.up, -move.down):
            if not units:
                continue
            world = start.copy()
            for number, (cells, signs) in move.cells.items():
                for measure in self.grids[number].measures:
                    rounded = system.rounded[number][measure].ravel()[cells]
                    there = rounded != NOTHING
                    world[rounded[there]] += units * signs[there]
                    true = system.true_at[number][measure][cells]
                    there = true != NOTHING
                    moved = world[true[there]] + base * units * signs[there]
                    # Where nothing else counts the same people, the true count may end nearer to its rounded one.
                    world[true[there]] = moved if system.tied[number] else np.maximum(moved, 0)
            yield world

    def wander(self, world: Reals, moves: Sequence[Move], seed: int) -> Reals:
        """Another world that fits, a random number of `moves` away from one that does."""
        walker = np.random.default_rng(seed)
        start = world
        for place in walker.permutation(len(moves)):
            for after in self._after(moves[place], world):
                if walker.random() < 0.5 and ((after >= self.system.low) & (after <= self.system.high)).all():
                    world = after
        return world if self.system.fits(world[:, None])[0] else start

    def unproved(self, skip: Callable[[Target], bool] = lambda _: False) -> list[Target]:
        """The targets whose interval is not known to be wide enough yet."""
        short = np.flatnonzero(self._widths() < self.policy.interval_width)
        return [self.targets[place] for place in short if not skip(self.targets[place])]

    def narrow(self, skip: Callable[[Target], bool] = lambda _: False) -> list[Target]:
        """The targets whose interval is narrower than the policy asks, after asking the solver about what is left."""
        found = []
        for place, target in enumerate(self.targets):
            if self._is_open(place) or skip(target):
                continue
            self.ask(target)
            if not self._is_open(place):
                found.append(target)
        return found

    def ask(self, target: Target) -> None:
        """Put one target to the solver: first with what is near, then, where that is not all, with everything."""
        place = self.targets.index(target)
        terms = self._terms[place]
        unit = 1 if self.system.tied[self.targets[place][0]] else self.policy.rounding_base
        width = -(-self.policy.interval_width // unit)
        nearby, is_all = solver.near(self.system, terms)
        for up in (True, False):
            aim = float(self._least[place]) + width if up else float(self._most[place]) - width
            self.add([solver.solve(self.system, self.world, nearby, solver.Aim(terms, aim, up))])
            if self._is_open(place):
                return
        if not is_all:
            least, most = float(self._least[place]), float(self._most[place])
            self.add(solver.worlds_apart(self.system, terms, least, most, width))

    def _is_open(self, place: int) -> bool:
        return bool(self._widths()[place] >= self.policy.interval_width)

    def _widths(self) -> Reals:
        """How far apart the least and the greatest true count seen are; infinite where nothing bounds the count."""
        base, slack = self.policy.rounding_base, self.policy.slack
        # An untied true count lies within the slack of its rounded one; of a total we only count on the upper side.
        inner = np.where(self._is_total, 0, slack)
        least = np.where(self._is_rounded, np.maximum(base * self._least - inner, 0), self._least)
        most = np.where(self._is_rounded, base * self._most + slack, self._most)
        return np.where(most >= self.system.far - base, np.inf, most - least)


def find_world(system: System, counts: Sequence[Counts | None]) -> Reals:
    """A world that fits, with the true counts of the tables where they are known and fit. Raises Contradiction."""
    known = [number for number, one in enumerate(counts) if one is not None]
    if known:
        try:
            return _complete(system, counts, known)
        except Contradiction:
            pass  # somebody withdrew since: the truth of today is not the one the earlier tables show
    return solver.any_world(system)


def _complete(system: System, counts: Sequence[Counts | None], known: Sequence[int]) -> Reals:
    zeros = [{measure: np.zeros_like(places) for measure, places in true.items()} for true in system.true]
    world = system.world([dict(zeros[number] if one is None else one) for number, one in enumerate(counts)])
    unknown = [
        places.ravel()
        for number in range(len(counts))
        if number not in known
        for part in (system.true[number], system.rounded[number])
        for places in part.values()
    ]
    if unknown:
        places = np.unique(np.concatenate(unknown))
        world = solver.solve(system, world, places[places != NOTHING])
    if not system.fits(world[:, None])[0]:
        raise Contradiction("the true counts are not those that the tables show")
    return world


def _rows(terms: Sequence[Ints], size: int) -> Any:
    from scipy import sparse

    rows = np.repeat(np.arange(len(terms)), [len(one) for one in terms])
    places = np.concatenate(terms) if terms else np.zeros(0, dtype=np.int64)
    return sparse.csr_array((np.ones(len(places)), (rows, places)), shape=(len(terms), size))
