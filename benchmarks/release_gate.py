"""The release gate on large tables: how long protection with its proof takes, and how much of what is safe it publishes.

Seconds are of one run on the machine that made the page; the last column of the table is the share of safe cells that
stay visible. `python -m benchmarks release_gate`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from linkage.release import rules
from linkage.release.check import check_release, settle
from linkage.release.rules import Dimension, ReleasePolicy
from linkage.release.tables import ReleaseSpec, Table

OUT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
SHARES = (0.02, 0.1, 0.2)  # of cells that are small


@dataclass(frozen=True)
class Case:
    """A table of true counts to protect, and the policy that declares its shape."""

    name: str
    table: Table
    policy: ReleasePolicy


@dataclass(frozen=True)
class Figure:
    """One table protected once."""

    name: str
    cells: int
    small: int
    hidden: int
    safe_share: float
    seconds: float
    cpu: float


def main() -> None:
    """Protect every table once, write the page and the plot."""
    OUT.mkdir(parents=True, exist_ok=True)
    figures = [measure(case) for case in cases()]
    (OUT / "release_gate.md").write_text(page(figures), encoding="utf-8")
    plot(figures, OUT / "release_gate.png")
    print(page(figures))


def cases() -> list[Case]:
    """Two-way, three-way and hierarchical tables, each with few, some and many small cells."""
    policy = rules.load()
    regions = policy.dimensions["authority"].groups
    authorities = [name for inside in regions.values() for name in inside][:150]
    status, outcome = (policy.dimensions[name].categories for name in ("status", "outcome"))
    shapes: list[tuple[str, dict[str, Sequence[str]], Mapping[str, Sequence[str]]]] = [
        ("150 authorities x 4", {"d1": authorities, "d2": status}, {}),
        ("150 in 9 regions in England x 4", {"d1": authorities, "d2": status}, regions),
        ("150 in 9 regions in England x 4 x 3", {"d1": authorities, "d2": status, "d3": outcome}, regions),
        ("25 x 20 x 10", {name: _labels(name, n) for name, n in (("d1", 25), ("d2", 20), ("d3", 10))}, {}),
        ("50 x 10 x 10", {name: _labels(name, n) for name, n in (("d1", 50), ("d2", 10), ("d3", 10))}, {}),
    ]
    return [make(name, labels, groups, share) for name, labels, groups in shapes for share in SHARES]


def make(name: str, labels: Mapping[str, Sequence[str]], groups: Mapping[str, Sequence[str]], share: float) -> Case:
    """A table of random counts of which `share` are below ten."""
    rng = np.random.default_rng(1)
    size = tuple(len(part) for part in labels.values())
    small = rng.random(size) < share
    people = np.where(small, rng.integers(0, 10, size), rng.integers(25, 300, size))
    families = np.where(small, (people + 1) // 2, np.maximum(people // 2, 10))
    places = np.indices(size).reshape(len(size), -1)
    columns = {axis: np.array(part)[place] for (axis, part), place in zip(labels.items(), places, strict=True)}
    frame = pl.DataFrame(columns | {"individuals": people.ravel(), "families": families.ravel()})
    dimensions = {
        axis: Dimension(axis, tuple(part), groups={g: tuple(i) for g, i in groups.items()} if axis == "d1" else {})
        for axis, part in labels.items()
    }
    policy = replace(rules.load(), dimensions=dimensions, shapes={"table": tuple(labels)})
    return Case(f"{name}, {share:.0%} small", Table(ReleaseSpec("table", "table", "wave"), frame), policy)


def measure(case: Case) -> Figure:
    """Protect and prove one table, and count what is left to see."""
    begun, cpu = time.perf_counter(), time.process_time()
    verdict = settle(case.table, policy=case.policy)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    assert verdict.passed
    assert verdict.protected is not None
    protected = verdict.protected
    hidden = int((protected["individuals"] == case.policy.hidden_mark).sum())
    first = check_release(case.table, policy=case.policy).findings
    small = sum(finding.reason == "below_threshold" for finding in first)
    return Figure(
        case.name,
        protected.height,
        small,
        hidden,
        (protected.height - hidden) / (protected.height - small),
        seconds,
        cpu,
    )


def page(figures: list[Figure]) -> str:
    """The page in docs/benchmarks."""
    rows = "\n".join(
        f"| {one.name} | {one.cells} | {one.small} | {one.hidden} | {one.seconds:.1f} | {one.cpu:.1f} | {one.safe_share:.1%} |"
        for one in figures
    )
    return f"""# The release gate on large tables

`python -m benchmarks release_gate`, on {os.cpu_count()} cores. Each table is protected (R2), proved (R3: every hidden count of
people and of families keeps an interval of at least ten) and audited once more from its published text. "Cells" are all
published rows, totals and groups included; "safe" are those that are not below the threshold themselves.

| Table | Cells | Small | Hidden | Seconds | CPU seconds | Safe cells published |
|---|---|---|---|---|---|---|
{rows}

![Seconds by table](release_gate.png)
"""


def plot(figures: list[Figure], path: Path) -> None:
    """Seconds against cells, one point a table; the line is the minute the gate has."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for share, marker in zip(SHARES, "os^", strict=True):
        some = [one for one in figures if one.name.endswith(f"{share:.0%} small")]
        axes.plot([one.cells for one in some], [one.seconds for one in some], marker, label=f"{share:.0%} small cells")
    axes.axhline(60, color="grey", linestyle="--", label="one minute")
    axes.set_xlabel("cells published, totals included")
    axes.set_ylabel("seconds to protect and prove")
    axes.set_yscale("log")
    axes.legend()
    fig.savefig(path, dpi=120)
    plt.close(fig)


def _labels(name: str, count: int) -> list[str]:
    return [f"{name}-{number}" for number in range(count)]


if __name__ == "__main__":
    main()
