"""What counts: different issues once each, and a non-resident parent for at most so many (N2)."""

from __future__ import annotations

import polars as pl

from linkage.early_help.criteria import Criteria

_ELSEWHERE = "non_resident_parent"


def count_issues(hits: pl.DataFrame, criteria: Criteria) -> pl.DataFrame:
    """`hits` with a Boolean `counted`: whether the row's issue counts through this person.

    Everything the household shows counts. A non-resident parent adds at most `non_resident_parent_issues`: first an
    issue that nobody else shows, in the order of the criteria file; the parent with the fewest to choose from chooses
    first, so that the most issues stand. A parent who has none to add counts towards one that already stands.
    """
    elsewhere = pl.col("role") == _ELSEWHERE
    order = {issue: position for position, issue in enumerate(criteria.issues)}
    theirs = (
        hits.filter(elsewhere)
        .select("family_ref", "person_id", "issue")
        .unique()
        .with_columns(position=pl.col("issue").replace_strict(order, return_dtype=pl.Int32))
    )
    chosen = _choose(theirs, hits.filter(~elsewhere).select("family_ref", "issue").unique(), criteria)
    return (
        hits.join(
            chosen.with_columns(chosen=pl.lit(value=True)),
            on=["family_ref", "person_id", "issue"],
            how="left",
            nulls_equal=True,
        )
        .with_columns(counted=~elsewhere | pl.col("chosen").fill_null(value=False))
        .drop("chosen")
        .sort(hits.columns)
    )


def _choose(theirs: pl.DataFrame, shown: pl.DataFrame, criteria: Criteria) -> pl.DataFrame:
    """The (family_ref, person_id, issue) each non-resident parent counts for."""
    chosen = theirs.select("family_ref", "person_id", "issue").clear()
    who = ["family_ref", "person_id"]
    while True:
        spent = chosen.group_by(who).len("spent")
        left = (
            theirs.join(chosen, on=[*who, "issue"], how="anti")
            .join(spent, on=who, how="left")
            .filter(pl.col("spent").fill_null(0) < criteria.non_resident_parent_issues)
        )
        if left.is_empty():
            return chosen
        fresh = left.join(shown, on=["family_ref", "issue"], how="anti")
        if fresh.is_empty():
            fresh = left  # nothing new anywhere: they stand behind what is already shown
        pick = (
            fresh.with_columns(choices=pl.len().over(who))
            .sort("family_ref", "choices", "person_id", "position")
            .unique("family_ref", keep="first", maintain_order=True)
            .select(*who, "issue")
        )
        chosen = pl.concat([chosen, pick])
        shown = pl.concat([shown, pick.select("family_ref", "issue")]).unique()
