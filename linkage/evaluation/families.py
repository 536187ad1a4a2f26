"""A row per family: what it shares, how large it is, and which answers its members give to each outcome (N12).

Families are the unit the programme works with, so they are compared as families. They stand in a file of their own,
for who lives with whom, and how old they are, would single out a third of them among the people.
"""

from __future__ import annotations

import polars as pl

from linkage.evaluation import outcomes, schemas

_SHARED = ("wave", "status", "assessed_month", "issue_count", "identified")


def of(linked: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """The families of the people who are left in the research file.

    Columns: research_family, authority, wave, status, assessed_month, issue_count, identified, members, children,
    large (as many people as the policy calls so), and for each outcome and answer whether any member gives it.
    """
    told = {name: one for name, one in outcomes.load().items() if one.column in people.columns}
    answers = [
        (outcome.answer == answer).any().alias(column(name, answer))
        for name, outcome in told.items()
        for answer in outcomes.ANSWERS
    ]
    first = [pl.col(name).first() for name in _SHARED]
    size = [pl.len().alias("members"), (pl.col("role") == "child").sum().alias("children")]
    size.append((pl.len() >= schemas.load().research.large_family).alias("large"))
    keys = ["research_family", "authority"]
    facts = linked.sort("research_id").group_by(keys).agg(*first, *size)
    left = people.group_by(keys).agg(*answers)
    return facts.join(left, on=keys, how="inner").with_columns(pl.col("members", "children").cast(pl.Int64))


def column(outcome: str, answer: str) -> str:
    """The column that says whether any member of the family gives that answer to the outcome."""
    return f"{outcome}_{answer}"
