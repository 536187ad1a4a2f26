"""What is different since an earlier list: families that came, went, or stand elsewhere, one sentence each (N2, N4)."""

from __future__ import annotations

from typing import Final

import polars as pl

KINDS: Final = {
    "new": "first assessed since",
    "identified": "identified since",
    "no longer identified": "no longer identified",
    "issues changed": "other issues than before",
    "moved": "same issues, another rank",
    "same": "unchanged",
    "gone": "no longer assessed",
}
"""Kinds of change in the order in which they are told, and their words."""


def changes(now: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """One row per family of either list: family_ref, change (a key of KINDS), told (a plain sentence), in `now`'s order.

    Both lists need family_ref, issues, rank and identified. A family has one kind of change, the first that applies;
    the sentence tells all of it. Families that are gone come last.
    """
    old = before.select("family_ref", was="identified", had="issues", stood="rank")
    both = now.join(old, on="family_ref", how="left", maintain_order="left")
    known = pl.col("was").is_not_null()
    gained, lost = _only("issues", "had"), _only("had", "issues")
    kind = (
        pl.when(~known)
        .then(pl.lit("new"))
        .when(pl.col("identified") & ~pl.col("was"))
        .then(pl.lit("identified"))
        .when(~pl.col("identified") & pl.col("was"))
        .then(pl.lit("no longer identified"))
        .when((gained != "") | (lost != ""))
        .then(pl.lit("issues changed"))
        .when(pl.col("rank") != pl.col("stood"))
        .then(pl.lit("moved"))
        .otherwise(pl.lit("same"))
    )
    parts = pl.concat_str(
        pl.when(gained != "").then(pl.format("now shows {}", gained.str.replace_all(";", ", "))),
        pl.when(lost != "").then(pl.format("no longer shows {}", lost.str.replace_all(";", ", "))),
        pl.when(pl.col("rank") != pl.col("stood")).then(pl.format("rank {}, was {}", "rank", "stood")),
        separator="; ",
        ignore_nulls=True,
    )
    words = kind.replace_strict(KINDS, return_dtype=pl.String)
    told = pl.when(known & (parts != "")).then(pl.format("{}: {}", words, parts)).otherwise(words)
    gone = before.join(now, on="family_ref", how="anti").select(
        "family_ref", change=pl.lit("gone"), told=pl.format("{}: rank was {}", pl.lit(KINDS["gone"]), "rank")
    )
    return pl.concat([both.select("family_ref", change=kind, told=told), gone.sort("family_ref")])


def summary(changed: pl.DataFrame) -> str:
    """The counts in one line, in the order of KINDS; `nothing changed` when nothing did."""
    counts = dict(changed.group_by("change").len().iter_rows())
    told = [f"{counts[kind]:,} {words}" for kind, words in KINDS.items() if kind != "same" and counts.get(kind)]
    return ", ".join(told) or "nothing changed"


def _only(column: str, other: str) -> pl.Expr:
    """The issues of one `;` list that are not in the other, in the list's order, joined by `;`."""
    mine, theirs = (pl.col(c).fill_null("").str.split(";") for c in (column, other))
    return (
        mine.list.set_difference(theirs).list.eval(pl.element().filter(pl.element() != "")).list.sort().list.join(";")
    )
