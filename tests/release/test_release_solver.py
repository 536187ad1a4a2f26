"""What the proof says of a hidden count is what both of its extremes say, found one by one over whole numbers (R3)."""

from __future__ import annotations

import numpy as np
import pytest
from release_cases import Population
from scipy.optimize import Bounds, LinearConstraint, milp

from linkage.release import audit, rules, shape
from linkage.release.proof import Known, Proof, find_world
from linkage.release.system import System, Target
from linkage.release.tables import Table

POLICY = rules.load()


def known(table: Table, rng: np.random.Generator) -> Known:
    """An office that hides what is small and whatever else it comes across: some counts are safe by luck, some are not."""
    grid, found = shape.read_grid(table.frame, table.spec, POLICY)
    assert found == []
    counts = audit.true_counts(grid)
    lattice = grid.lattice
    sums = {measure: lattice.sums(part) for measure, part in counts.items()}
    rounded = {measure: lattice.sums(POLICY.round_all(part)) for measure, part in counts.items()}
    small = rng.random(lattice.shape) < 0.3
    for measure, part in sums.items():
        small |= lattice.has(measure) & (np.minimum(part, rounded[measure]) < POLICY.threshold)
    shown = {measure: np.where(lattice.has(measure), part, -1) for measure, part in rounded.items()}
    return Known(type(grid)(grid.spec, lattice, shown, small), counts)


def exact_width(system: System, target: Target) -> float:
    """From the least to the greatest true count, over every whole number that fits."""
    goal = np.zeros(system.size)
    goal[system.terms(target)] = 1.0
    ends = []
    for sign in (1.0, -1.0):
        solved = milp(
            sign * goal,
            integrality=np.ones(system.size),
            bounds=Bounds(system.low, system.high),
            constraints=LinearConstraint(system.matrix, system.least, system.most),
        )
        ends.append(sign * solved.fun)
    return ends[1] - ends[0]


@pytest.mark.parametrize("tables", [1, 2, 3])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_hidden_count_is_called_open_exactly_when_its_extremes_are_far_enough_apart(seed: int, tables: int) -> None:
    """R3: of one table, and of two and three that count the same people."""
    rng = np.random.default_rng(seed)
    people = Population(rng, 4, 15)
    for cell in rng.choice(16, 4, replace=False):
        people.plant(int(cell) // 4, int(cell) % 4, int(rng.integers(3)) if cell % 2 else None)
    made = [
        known(people.table("authority", "status"), rng),
        known(people.table("authority", "outcome", outcome="employed"), rng),
        known(people.table("authority"), rng),
    ][:tables]
    system = System([one.grid for one in made], POLICY)
    proof = Proof(system, find_world(system, [one.counts for one in made]))
    narrow = set(proof.narrow())
    assert 0 < len(narrow) < len(proof.targets), "some are open and some are not"
    for target in proof.targets:
        wide = exact_width(system, target) >= POLICY.interval_width
        total = made[target[0]].grid.lattice.level[target[2]] > 0
        assert wide or target in narrow, "nothing narrow is called open"
        assert total or wide == (target not in narrow)
