"""Table sets with planted leaks go through the gate, and an attacker of its own tries to work the planted counts out (R2 to R4).

`make slow` plays all 500; a few of each kind run every time.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import polars as pl
import pytest
from release_attacker import Attacker
from release_cases import KINDS, TableSet, generate

from linkage.release import rules
from linkage.release.check import settle_all
from linkage.release.tables import Table

pytestmark = pytest.mark.large

POLICY = rules.load()
REGIONS = POLICY.dimensions["authority"].groups


@dataclass(frozen=True)
class Outcome:
    """What came of one table set: the widths left to planted counts, exact recoveries, safe cells and those shown."""

    seed: int
    narrowest: float
    exact: int
    attacked: int
    safe: int
    shown: int


def publish(case: TableSet) -> list[tuple[Table, Table | None]]:
    """Each table of true counts with the protected one that went out; None where the gate let nothing out."""
    out: list[tuple[Table, Table | None]] = []
    for tables in case.releases:
        verdicts = settle_all(tables, [sent for _, sent in out if sent is not None])
        for table, verdict in zip(tables, verdicts, strict=True):
            sent = verdict.protected if verdict.passed else None
            out.append((table, None if sent is None else Table(table.spec, sent)))
    return out


def intervals(case: TableSet, sent: list[Table]) -> list[tuple[float, float]]:
    """What the attacker is left with for every planted count of people and families that any published table is about."""
    attacker = Attacker(REGIONS)
    for table in sent:
        attacker.read(table.frame, table.spec.outcome)
    if case.withdrawn:
        attacker.withdrawn(case.withdrawn)
    else:
        attacker.same_people()
    outcome = next((table.spec.outcome for table in sent if table.spec.outcome), None)
    asked = [
        attacker.interval(cell, outcome, measure) for cell in case.planted for measure in ("individuals", "families")
    ]
    return [one for one in asked if one is not None]


def safe_and_shown(raw: Table, sent: Table | None) -> tuple[int, int]:
    """Cells, totals included, with at least ten people and ten families; and how many of all cells were published."""
    frame = raw.frame
    dimensions = [name for name in ("authority", "status", "outcome") if name in frame.columns]
    for name in dimensions:
        groups = {group: set(inside) & set(frame[name]) for group, inside in REGIONS.items() if name == "authority"}
        kept = {group: inside for group, inside in groups.items() if 1 < len(inside) < frame[name].n_unique()}
        totals = [
            frame.filter(pl.col(name).is_in(list(inside))).with_columns(pl.lit(group).alias(name))
            for group, inside in kept.items()
        ]
        totals += [frame.with_columns(pl.lit("Total").alias(name))] if frame[name].n_unique() > 1 else []
        gathered = pl.concat(totals).group_by(dimensions).agg(
            pl.col("individuals").sum(), pl.col("families").max() if name == "outcome" else pl.col("families").sum()
        )  # fmt: skip
        frame = pl.concat([frame.select(gathered.columns), gathered])
    safe = frame.filter((pl.col("individuals") >= 10) & (pl.col("families") >= 10)).height
    return safe, 0 if sent is None else (sent.frame["individuals"] != "[c]").sum()


def play(seed: int) -> Outcome:
    """Publish one table set, attack it, count what was published."""
    case = generate(seed)
    pairs = publish(case)
    found = intervals(case, [sent for _, sent in pairs if sent is not None])
    widths = [high - low for low, high in found]
    counts = [safe_and_shown(raw, sent) for raw, sent in pairs]
    exact = sum(width == 0 for width in widths)
    safe, shown = (sum(column) for column in zip(*counts, strict=True))
    return Outcome(seed, min(widths), exact, len(widths), safe, shown)


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=[kind.__name__ for kind in KINDS])
def test_no_planted_count_can_be_worked_out_and_most_safe_cells_are_published(kind: int) -> None:
    """R3, R4: two table sets of each kind."""
    played = [play(seed) for seed in (kind, kind + len(KINDS))]
    for one in played:
        assert one.attacked >= 2
        assert one.exact == 0
        assert one.narrowest >= POLICY.interval_width, f"table set {one.seed}"
    assert sum(one.shown for one in played) / sum(one.safe for one in played) > 0.85


@pytest.mark.slow
def test_of_500_table_sets_every_planted_count_stays_open_and_nine_safe_cells_in_ten_are_published() -> None:
    """R2, R3, R4."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        played = list(pool.map(play, range(500), chunksize=10))
    assert [one.seed for one in played if one.exact] == []
    assert [one.seed for one in played if one.narrowest < POLICY.interval_width] == []
    assert sum(one.attacked for one in played) > 2000
    assert sum(one.shown for one in played) / sum(one.safe for one in played) >= 0.9


def test_the_attacker_finds_what_a_careless_office_gives_away() -> None:
    """The attacker is worth something only if it wins where only the small counts themselves are hidden."""
    case = generate(1)
    [[raw]] = case.releases
    alone = case.planted[0]  # the only small count of its row
    attacker = Attacker({})
    attacker.read(_totals_of(raw.frame, pl.col("individuals") < 10), None)
    low, high = attacker.interval(alone, None, "individuals") or (0, 99)
    assert high - low <= 4, "the total less the shown cells"
    assert low <= raw.frame.filter(**alone)["individuals"].item() <= high


def _totals_of(frame: pl.DataFrame, hidden: pl.Expr) -> pl.DataFrame:
    """A careless office: only the small cell hidden, everything else rounded, all totals shown."""
    frame = frame.with_columns(hidden.alias("hidden"))
    base = frame.with_columns(((pl.col(name) + 2) // 5 * 5).alias(name) for name in ("individuals", "families"))
    parts = [base]
    for name in ("authority", "status"):
        every = pl.concat(parts)
        summed = (
            every.with_columns(pl.lit("Total").alias(name))
            .group_by("authority", "status")
            .agg(pl.col("individuals", "families").sum(), pl.lit(False).alias("hidden"))
        )
        parts.append(summed.select(base.columns))
    text = pl.concat(parts).with_columns(pl.col("individuals", "families").cast(pl.String))
    marks = [
        pl.when("hidden").then(pl.lit("[c]")).otherwise(pl.col(name)).alias(name)
        for name in ("individuals", "families")
    ]
    return text.with_columns(marks).drop("hidden")
