"""Who belongs to which family, on what evidence, and which families have a dependent child.

Membership is the authority's own case record, never a shared address: strangers live behind one front door.
The address only says whether a young person lives with a parent.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from linkage.early_help.calendar import age
from linkage.early_help.criteria import Criteria

RESIDENT_PARENTS = ("adult", "expectant_parent")


def members(case: pl.DataFrame, people: pl.DataFrame, as_of: date, criteria: Criteria) -> pl.DataFrame:
    """One row per family and person: family_ref, person_id, role, date_of_birth, age, evidence, household, dependent.

    `case` is the accepted case_management frame, `people` maps its person_ref to person_id. `evidence` is always
    `case record`; `household` says what the addresses show: `same uprn`, `same address`, `another address`, `unknown`.
    """
    listed = (
        case.join(people.select("person_ref", "person_id"), on="person_ref")
        .sort("family_ref", "person_id", "person_ref", "role")
        .unique(["family_ref", "person_id"], keep="first", maintain_order=True)
    )
    listed = listed.join(_households(listed), on=["family_ref", "person_id"], how="left")
    rule = criteria.dependants
    years = age(pl.col("date_of_birth"), as_of)
    child = pl.col("role") == "child"
    with_parent = pl.col("parents").fill_null(0) > 0
    young = (
        years.is_between(*rule.young_person_ages)
        & pl.col("education_status").is_in(list(rule.young_person_education))
        & with_parent
        & (pl.col("household") != "another address")
    )
    dependent = child & (years.is_between(0, rule.child_to_age) | young)
    if rule.expectant_parent_counts:
        dependent = dependent | (pl.col("role") == "expectant_parent")
    return listed.select(
        "family_ref",
        "person_id",
        "role",
        "date_of_birth",
        years.alias("age"),
        pl.lit("case record").alias("evidence"),
        "household",
        dependent.fill_null(value=False).alias("dependent"),
    ).sort("family_ref", "person_id")


def assessed_families(case: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """One row per assessed family: family_ref, status, assessed_on, has_dependant.

    Rows of one family may disagree while a correction is under way: the earliest assessment and the furthest status
    stand.
    """
    order = pl.Enum(["assessed", "invited", "joined", "closed"])
    families = case.group_by("family_ref").agg(
        pl.col("status").cast(order).max().cast(pl.String), pl.col("assessed_on").min()
    )
    dependants = listed.group_by("family_ref").agg(pl.col("dependent").any().alias("has_dependant"))
    return families.join(dependants, on="family_ref", how="left").sort("family_ref")


def _households(listed: pl.DataFrame) -> pl.DataFrame:
    """Each member against the family's resident parents: `parents` (how many) and `household`."""
    places = listed.select(
        "family_ref", "person_id", "role", uprn=_plain("uprn"), where=_plain("postcode") + "|" + _plain("address")
    )
    parents = places.filter(pl.col("role").is_in(RESIDENT_PARENTS)).drop("role")
    pairs = places.join(parents, on="family_ref", suffix="_parent").filter(
        pl.col("person_id") != pl.col("person_id_parent")
    )
    same_uprn = pl.col("uprn") == pl.col("uprn_parent")
    same_place = pl.col("where") == pl.col("where_parent")
    household = (
        pl.when(same_uprn.any())
        .then(pl.lit("same uprn"))
        .when(same_place.any())
        .then(pl.lit("same address"))
        .when((~same_uprn).any() | (~same_place).any())
        .then(pl.lit("another address"))
        .otherwise(pl.lit("unknown"))
        .alias("household")
    )
    seen = pairs.group_by("family_ref", "person_id").agg(household, pl.len().alias("parents"))
    return (
        places.select("family_ref", "person_id")
        .join(seen, on=["family_ref", "person_id"], how="left")
        .with_columns(pl.col("household").fill_null("unknown"))
    )


def _plain(column: str) -> pl.Expr:
    letters = pl.col(column).str.to_lowercase().str.replace_all(r"[^a-z0-9]", "")
    return pl.when(letters != "").then(letters)
