"""Table sets with planted leaks, from a seed: true counts of which some cells are small, and in which order they go out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from linkage.release.tables import ReleaseSpec, Table

STATUSES = ("assessed", "invited", "joined", "closed")
OUTCOMES = ("yes", "no", "unknown")
AUTHORITIES = (
    "barnet", "bexley", "brent", "camden", "croydon", "ealing", "enfield", "hackney", "lambeth", "sutton",
    "bolton", "bury", "oldham", "salford", "wigan", "leeds", "bradford", "kirklees", "sheffield", "hull",
)  # fmt: skip
WAVE = "2022-autumn"


@dataclass
class TableSet:
    """Releases in order (each a list of tables that go out together), and the planted cells by dimension."""

    kind: str
    releases: list[list[Table]]
    planted: list[dict[str, str]]
    withdrawn: int = 0
    truth: dict[str, Any] = field(default_factory=dict)


class Population:
    """True counts of people and families by authority, status and outcome; every cell large until one is planted."""

    def __init__(self, rng: np.random.Generator, authorities: int, least: int) -> None:
        self.rng = rng
        self.authorities = sorted(rng.choice(AUTHORITIES, authorities, replace=False).tolist())
        size = rng.lognormal(0, 0.5, (authorities, 1, 1)) * rng.lognormal(0, 0.4, (1, len(STATUSES), 1))
        share = rng.dirichlet((8, 8, 5), (authorities, len(STATUSES)))
        self.people = np.maximum((size * share * 12 * least).astype(int), least + rng.integers(0, 9, share.shape))
        self.families = np.maximum((self.people * rng.uniform(0.35, 0.6, share.shape)).astype(int), 12)

    def plant(self, authority: int, status: int, outcome: int | None = None) -> dict[str, str]:
        """Make one cell small: fewer than ten people, with at least one."""
        cell = {"authority": self.authorities[authority], "status": STATUSES[status]}
        if outcome is None:
            self.people[authority, status] = self.rng.multinomial(self.rng.integers(1, 10), (0.4, 0.3, 0.3))
        else:
            self.people[authority, status, outcome] = self.rng.integers(1, 10)
            cell["outcome"] = OUTCOMES[outcome]
        self.families[authority, status] = np.minimum(
            self.families[authority, status], (self.people[authority, status] + 1) // 2
        )
        return cell

    def withdraw(self, people: int) -> None:
        """Take single people out of random cells that have many."""
        for _ in range(people):
            cells = np.argwhere(self.people > 20)
            self.people[tuple(self.rng.choice(cells))] -= 1

    def table(self, *dimensions: str, outcome: str | None = None) -> Table:
        """The true counts as a table of one of the declared shapes. Families with two outcomes count in both."""
        over = tuple(n for n, name in enumerate(("authority", "status", "outcome")) if name not in dimensions)
        people = self.people.sum(axis=over)
        # Where outcomes are summed over, some families are the same ones: as many as their greatest part, at least.
        families = self.families
        if 2 in over:
            families = np.maximum(families.max(axis=2), (families.sum(axis=2) * 0.8).astype(int))
            families = np.minimum(families, self.people.sum(axis=2))
        families = families.sum(axis=tuple(n for n in over if n < 2))
        labels = {"authority": self.authorities, "status": STATUSES, "outcome": OUTCOMES}
        places = np.indices(people.shape).reshape(len(dimensions), -1)
        columns = {name: np.array(labels[name])[place] for name, place in zip(dimensions, places, strict=True)}
        frame = pl.DataFrame(columns | {"individuals": people.ravel(), "families": families.ravel()})
        shape = "_by_".join(dimensions)
        return Table(ReleaseSpec(f"{shape}-{outcome}", shape, WAVE, outcome), frame)


def _scattered(rng: np.random.Generator, pop: Population, count: int, deep: bool) -> list[dict[str, str]]:
    cells = rng.choice(len(pop.authorities) * len(STATUSES), count, replace=False)
    return [pop.plant(int(c) // 4, int(c) % 4, int(rng.integers(3)) if deep else None) for c in cells]


def small_cells(rng: np.random.Generator) -> TableSet:
    """Small counts anywhere in a two-way table with margins."""
    pop = Population(rng, int(rng.integers(8, 17)), 15)
    planted = _scattered(rng, pop, int(rng.integers(2, 5)), deep=False)
    return TableSet("small cells", [[pop.table("authority", "status")]], planted)


def complementary_cells(rng: np.random.Generator) -> TableSet:
    """The only small count of a row and of a column, and two in one row."""
    pop = Population(rng, int(rng.integers(8, 17)), 15)
    one, other = rng.choice(len(pop.authorities), 2, replace=False)
    statuses = rng.permutation(4)
    planted = [pop.plant(int(one), int(statuses[0]))]
    planted += [pop.plant(int(other), int(status)) for status in statuses[1:3]]
    return TableSet("complementary cells", [[pop.table("authority", "status")]], planted)


def margins(rng: np.random.Generator) -> TableSet:
    """A three-way table whose margin goes out as a table of its own."""
    pop = Population(rng, int(rng.integers(5, 10)), 15)
    planted = _scattered(rng, pop, int(rng.integers(2, 4)), deep=True)
    tables = [pop.table("authority", "status"), pop.table("authority", "status", "outcome", outcome="employed")]
    return TableSet("margins", [tables], planted)


def overlapping_releases(rng: np.random.Generator) -> TableSet:
    """The same people, table after table, each with other margins."""
    pop = Population(rng, int(rng.integers(5, 9)), 15)
    planted = _scattered(rng, pop, int(rng.integers(1, 4)), deep=True)
    tables = [
        pop.table("authority", "status", "outcome", outcome="convicted"),
        pop.table("authority", "outcome", outcome="convicted"),
        pop.table("authority", "status"),
        pop.table("authority"),
    ]
    order = rng.permutation(len(tables))[: int(rng.integers(2, 5))]
    releases = [[tables[n]] for n in order]
    if not any(table.spec.shape == "authority_by_status_by_outcome" for [table] in releases):
        releases.append([tables[0]])
    return TableSet("overlapping releases", releases, planted)


def rerun_after_withdrawal(rng: np.random.Generator) -> TableSet:
    """The same table again, without one to four people who withdrew."""
    pop = Population(rng, int(rng.integers(6, 13)), 15)
    planted = _scattered(rng, pop, int(rng.integers(2, 4)), deep=False)
    before = pop.table("authority", "status")
    gone = int(rng.integers(1, 5))
    pop.withdraw(gone)
    return TableSet("re-run after withdrawal", [[before], [pop.table("authority", "status")]], planted, gone)


def linked_percentages(rng: np.random.Generator) -> TableSet:
    """Rates of one outcome over statuses and over all, beside the counts they are rates of."""
    pop = Population(rng, int(rng.integers(5, 10)), 15)
    planted = _scattered(rng, pop, int(rng.integers(2, 4)), deep=True)
    tables = [
        pop.table("authority", "outcome", outcome="employed"),
        pop.table("authority", "status", "outcome", outcome="employed"),
    ]
    return TableSet("linked percentages", [tables], planted)


KINDS: tuple[Callable[[np.random.Generator], TableSet], ...] = (
    small_cells, complementary_cells, margins, overlapping_releases, rerun_after_withdrawal, linked_percentages,
)  # fmt: skip


def generate(seed: int) -> TableSet:
    """Table set number `seed`: the kinds take turns."""
    return KINDS[seed % len(KINDS)](np.random.default_rng(seed))
