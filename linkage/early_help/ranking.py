"""The order in which families are invited: the most pressing needs first, by figures anyone can re-do by hand (N4)."""

from __future__ import annotations

from datetime import date

import polars as pl

from linkage.early_help.criteria import Criteria


def pressing(counted: pl.DataFrame, as_of: date, criteria: Criteria) -> pl.DataFrame:
    """One row per family with counted evidence: family_ref, issues, issue_count, points, latest_evidence.

    Points: each indicator once per family and issue, plus `person_points` for each further person affected. The
    latest evidence is never later than `as_of`, so that a coming release is not news before it happens.
    """
    points = {i.name: i.points for part in criteria.issues.values() for i in part.indicators}
    points[criteria.referrals.name] = criteria.referrals.points
    rows = counted.filter("counted")
    indicators = (
        rows.select("family_ref", "issue", "indicator")
        .unique()
        .group_by("family_ref")
        .agg(indicator_points=pl.col("indicator").replace_strict(points, return_dtype=pl.Int64).sum())
    )
    order = pl.Enum(list(criteria.issues))
    return (
        rows.group_by("family_ref")
        .agg(
            issues=pl.col("issue").cast(order).unique().sort().cast(pl.String).str.join(";"),
            issue_count=pl.col("issue").n_unique().cast(pl.Int64),
            people=pl.col("person_id").n_unique().cast(pl.Int64),
            latest_evidence=pl.min_horizontal("evidence_date", pl.lit(as_of)).max(),
        )
        .join(indicators, on="family_ref")
        .select(
            "family_ref",
            "issues",
            "issue_count",
            points=pl.col("indicator_points") + (pl.col("people") - 1) * criteria.ranking.person_points,
            latest_evidence="latest_evidence",
        )
    )


def rank(families: pl.DataFrame, criteria: Criteria) -> pl.DataFrame:
    """`families` in rank order with `rank` from 1, no two alike.

    Takes family_ref, identified, issue_count, points, latest_evidence, assessed_on. Identified families come first,
    then what the criteria's `order` says one after the other; the reference only settles what nothing else does.
    """
    by = _steps(criteria)
    return families.sort(
        "identified",
        *(column for column, *_ in by),
        "family_ref",
        descending=[True, *(descending for _, descending, *_ in by), False],
        nulls_last=True,
    ).with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))


# What `order` may name: the column it sorts by, largest first or not, and how a family is ahead by it.
_NEEDS: dict[str, tuple[str, bool, str]] = {
    "issue_count": ("issue_count", True, "more different issues"),
    "points": ("points", True, "more points"),
    "latest_evidence": ("latest_evidence", True, "later evidence"),
    "waiting": ("assessed_on", False, "a longer wait since assessment"),
}


def _steps(criteria: Criteria) -> list[tuple[str, bool, str]]:
    return [_NEEDS[need] for need in criteria.ranking.order]


def explain(ranked: pl.DataFrame, criteria: Criteria) -> pl.DataFrame:
    """`ranked` with `position`: one sentence with the figures the order goes by and what sets it before the next (N4)."""
    ordered = ranked.sort("rank")
    steps = [("identified", "being identified"), *((column, words) for column, _, words in _steps(criteria))]
    ahead = pl.coalesce(
        pl.when(pl.col("rank") == pl.len()).then(pl.lit("last")),
        *(
            pl.when(pl.col(column).ne_missing(pl.col(column).shift(-1))).then(pl.lit(f"ahead of the next by {words}"))
            for column, words in steps
        ),
        pl.lit("equal to the next but for the reference"),
    )
    figures = pl.format(
        "rank {} of {}: {}, {} different {}, {} points, latest evidence {}, assessed on {}; {}",
        "rank",
        pl.len(),
        pl.when("identified").then(pl.lit("identified")).otherwise(pl.lit("not identified")),
        "issue_count",
        pl.when(pl.col("issue_count") == 1).then(pl.lit("issue")).otherwise(pl.lit("issues")),
        "points",
        pl.col("latest_evidence").cast(pl.String).fill_null("none"),
        pl.col("assessed_on").cast(pl.String),
        ahead,
    )
    return ordered.with_columns(position=figures)


def invite(ranked: pl.DataFrame, criteria: Criteria) -> pl.DataFrame:
    """`ranked` with `invited`: the first `capacity` identified families whose status allows it (N4)."""
    may = pl.col("identified") & pl.col("status").is_in(list(criteria.invitations.statuses))
    place = may.cast(pl.Int64).cum_sum()
    return ranked.sort("rank").with_columns(invited=may & (place <= criteria.invitations.capacity))


def reasons(families: pl.DataFrame, counted: pl.DataFrame, statuses: pl.DataFrame, criteria: Criteria) -> pl.DataFrame:
    """family_ref and `reasons`: a `;` list of plain sentences with issues, indicators, counts and windows; no person.

    `families` is one row per family with family_ref, issue_count, has_dependant, identified.
    """
    sentences = [
        _shown(counted, criteria),
        _capped(counted),
        _short(families, criteria),
        _unknown(statuses, criteria),
    ]
    return (
        pl.concat(sentences)
        .sort("family_ref", "place", "sentence")
        .group_by("family_ref", maintain_order=True)
        .agg(reasons=pl.col("sentence").str.join(";"))
        .join(families.select("family_ref"), on="family_ref", how="right")
        .select("family_ref", pl.col("reasons").fill_null(""))
    )


def _shown(counted: pl.DataFrame, criteria: Criteria) -> pl.DataFrame:
    says = {i.name: i.says for part in criteria.issues.values() for i in part.indicators}
    says[criteria.referrals.name] = criteria.referrals.says
    position = {issue: place for place, issue in enumerate(criteria.issues)}
    people = pl.col("person_id").n_unique()
    by = pl.col("referrer").drop_nulls().unique().sort().str.join(", ")
    return (
        counted.filter("counted")
        .group_by("family_ref", "issue", "indicator", "window")
        .agg(by=by, people=pl.when(people == 1).then(pl.lit("1 person")).otherwise(pl.format("{} people", people)))
        .sort("family_ref", "issue", "indicator")
        .with_columns(
            sentence=pl.format(
                "{}{} ({}, {})",
                pl.col("indicator").replace_strict(says, return_dtype=pl.String),
                # A referrer's own words must not break the list of sentences.
                pl.when(pl.col("by") == "").then(pl.lit("")).otherwise(" by " + pl.col("by").str.replace_all(";", ",")),
                "people",
                "window",
            )
        )
        .group_by("family_ref", "issue", maintain_order=True)
        .agg(pl.col("sentence").str.join(", "))
        .select(
            "family_ref",
            place=pl.col("issue").replace_strict(position, return_dtype=pl.Int32),
            sentence=pl.format("{}: {}", "issue", "sentence"),
        )
    )


def _capped(counted: pl.DataFrame) -> pl.DataFrame:
    """Issues shown only by a non-resident parent beyond what may count."""
    stands = counted.filter("counted").select("family_ref", "issue").unique()
    return (
        counted.join(stands, on=["family_ref", "issue"], how="anti")
        .group_by("family_ref")
        .agg(n=pl.col("issue").n_unique())
        .select(
            "family_ref",
            place=pl.lit(10, pl.Int32),
            sentence=pl.format("not counted: {} of a non-resident parent beyond the limit", "n"),
        )
    )


def _short(families: pl.DataFrame, criteria: Criteria) -> pl.DataFrame:
    few = families.filter(pl.col("issue_count") < criteria.minimum_issues).select(
        "family_ref",
        place=pl.lit(20, pl.Int32),
        sentence=pl.format("{} of {} different issues needed", "issue_count", pl.lit(criteria.minimum_issues)),
    )
    alone = families.filter(~pl.col("has_dependant")).select(
        "family_ref", place=pl.lit(21, pl.Int32), sentence=pl.lit("no dependent child or expectant parent")
    )
    return pl.concat([few, alone])


def _unknown(statuses: pl.DataFrame, criteria: Criteria) -> pl.DataFrame:
    order = pl.Enum(list(criteria.issues))
    return (
        statuses.filter(pl.col("status") == "not_supplied")
        .group_by("family_ref")
        .agg(issues=pl.col("issue").cast(order).sort().cast(pl.String).str.join(", "))
        .select("family_ref", place=pl.lit(30, pl.Int32), sentence=pl.format("not supplied: {}", "issues"))
    )
