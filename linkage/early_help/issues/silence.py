"""What a family does not show, told apart from what nobody supplied: silence is not an answer (N2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from linkage.early_help.criteria import Criteria
from linkage.early_help.issues.attendance import in_last_terms


def issue_statuses(
    accepted: Mapping[str, pl.DataFrame],
    links: pl.DataFrame,
    members: pl.DataFrame,
    counted: pl.DataFrame,
    as_of: date,
    criteria: Criteria,
) -> pl.DataFrame:
    """One row per family and issue: family_ref, issue, status (`met`, `not_met`, `not_supplied`), missing_feeds.

    `not_supplied`: not shown, and a feed that could have shown it did not arrive, or no feed can show it, or schools
    show it and a child of school age is in no school's delivery.
    """
    missing = {i: [feed for feed in criteria.feeds_of(i) if feed not in accepted] for i in criteria.issues}
    unsupplied = [issue for issue in criteria.issues if not criteria.feeds_of(issue)]
    by_school = [issue for issue in criteria.issues if "schools" in criteria.feeds_of(issue)]
    grid = (
        members.select("family_ref")
        .unique()
        .join(
            pl.DataFrame(
                {"issue": list(missing), "missing_feeds": [";".join(feeds) for feeds in missing.values()]},
                schema={"issue": pl.String, "missing_feeds": pl.String},
            ),
            how="cross",
        )
    )
    met = counted.filter("counted").select("family_ref", "issue").unique().with_columns(met=pl.lit(value=True))
    unseen = _unseen_pupils(accepted, links, members, as_of, criteria).join(
        pl.DataFrame({"issue": by_school, "unseen": True}, schema={"issue": pl.String, "unseen": pl.Boolean}),
        how="cross",
    )
    silent = (
        (pl.col("missing_feeds") != "") | pl.col("issue").is_in(unsupplied) | pl.col("unseen").fill_null(value=False)
    )
    return (
        grid.join(met, on=["family_ref", "issue"], how="left")
        .join(unseen, on=["family_ref", "issue"], how="left")
        .select(
            "family_ref",
            "issue",
            pl.when("met")
            .then(pl.lit("met"))
            .when(silent)
            .then(pl.lit("not_supplied"))
            .otherwise(pl.lit("not_met"))
            .alias("status"),
            "missing_feeds",
        )
        .sort("family_ref", "issue")
    )


def _unseen_pupils(
    accepted: Mapping[str, pl.DataFrame], links: pl.DataFrame, members: pl.DataFrame, as_of: date, criteria: Criteria
) -> pl.DataFrame:
    """Families with a child of school age whom no school reports on in the terms that count."""
    pupils = members.filter((pl.col("role") == "child") & pl.col("age").is_between(*criteria.terms.pupil_ages))
    if "schools" in accepted:
        linked = links.filter(pl.col("feed") == "schools").select("person_ref", "person_id")
        rows = accepted["schools"].select("person_ref", "term").join(linked, on="person_ref")
        terms = max(i.timing.terms or 0 for part in criteria.issues.values() for i in part.indicators)
        seen = in_last_terms(rows, terms, as_of, criteria.terms)
        pupils = pupils.join(seen.select("person_id").unique(), on="person_id", how="anti")
    return pupils.select("family_ref").unique()
