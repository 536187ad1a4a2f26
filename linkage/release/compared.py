"""The tables of a comparison, made from matched families: who is compared, with which outcomes, and alike in what (R1)."""

from __future__ import annotations

import polars as pl

from linkage.errors import CheckFailed
from linkage.evaluation import comparison
from linkage.evaluation.comparison import Matched
from linkage.evaluation.families import column
from linkage.release import rules
from linkage.release.rules import OUTCOME, ReleasePolicy
from linkage.release.tables import ReleaseSpec, Table


def comparison_tables(homes: pl.DataFrame, policy: ReleasePolicy | None = None) -> list[Table]:
    """The raw tables of every wave in the families' file; none for a wave with too few families on one side.

    They hold true counts and must not leave, as those of `tables.authority_tables`. All count the same families: those
    of the programme that have a match, their matches, and the others that were as eligible.
    """
    told = policy or rules.load()
    tables: list[Table] = []
    for wave in sorted(homes["wave"].unique().to_list()):
        try:
            matched = comparison.match(homes.filter(pl.col("wave") == wave))
        except CheckFailed:
            continue
        tables += _of_wave(matched, f"{wave}-comparison", told)
    return tables


def _of_wave(matched: Matched, population: str, policy: ReleasePolicy) -> list[Table]:
    frame = matched.frame
    groups = Table(ReleaseSpec(population, "authority_by_group", population), _count(frame, ["authority", "group"]))
    outcomes = [
        Table(
            ReleaseSpec(f"{population}-{name}", "authority_by_group_by_outcome", population, name),
            _count(frame.with_columns(_answer(name)), ["authority", "group", OUTCOME]),
        )
        for name in policy.outcomes
        if column(name, "yes") in frame.columns
    ]
    balance = [
        Table(
            ReleaseSpec(f"{population}-by-{name.replace('_', '-')}", "group_by_level", population, covariate=name),
            _count(frame.with_columns(pl.col(name).cast(pl.String).alias("level")), ["group", "level"]),
        )
        for name in comparison.load().covariates
        if frame[name].n_unique() > 1
    ]
    return [groups, *outcomes, *balance]


def _answer(outcome: str) -> pl.Expr:
    """A family has the outcome when one member is known to have it, and otherwise not.

    A third answer, unknown, would be rare among families, and hiding it would hide the other two (R3).
    """
    return pl.when(column(outcome, "yes")).then(pl.lit("yes")).otherwise(pl.lit("no")).alias(OUTCOME)


def _count(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    families = pl.len().cast(pl.Int64)
    return frame.group_by(by).agg(families.alias("individuals"), families.alias("families")).sort(by)
