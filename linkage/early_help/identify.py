"""Identification as of a date: deliveries in, every assessed family out with issues, rank and evidence (N2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from linkage.early_help.criteria import Criteria
from linkage.early_help.families import assessed_families, members
from linkage.early_help.issues import count_issues, find_hits, issue_statuses
from linkage.early_help.people import CASE, link_people
from linkage.early_help.ranking import explain, invite, pressing, rank, reasons
from linkage.errors import Misuse

FAMILIES = (
    "family_ref",
    "issues",
    "issue_count",
    "rank",
    "identified",
    "reasons",
    "position",
    "invited",
    "not_supplied",
    "points",
    "status",
    "assessed_on",
    "criteria",
)
PEOPLE = (
    "person_id",
    "family_ref",
    "role",
    "forename",
    "surname",
    "date_of_birth",
    "gender",
    "address",
    "postcode",
    "nino",
    "status",
    "assessed_on",
)


@dataclass(frozen=True)
class Identification:
    """What one identification found.

    - families: one row per assessed family, in rank order; columns FAMILIES. `issues` and `not_supplied` are `;` lists
      of issue names, `reasons` a `;` list of sentences, `position` why the family stands where it does (N4).
    - hits: the evidence, one row each: family_ref, person_id, role, issue, indicator, feed, delivery, referrer,
      evidence_date, window, criteria, counted.
    - people: the authority's list of the families' members with their identifiers; columns PEOPLE. Somebody in two
      families has a row in each.
    - members: family_ref, person_id, role, date_of_birth, age, evidence, household, dependent.
    - links: feed, person_ref, person_id, evidence, probability.
    - statuses: family_ref, issue, status (met, not_met, not_supplied), missing_feeds.
    """

    families: pl.DataFrame
    hits: pl.DataFrame
    people: pl.DataFrame
    members: pl.DataFrame
    links: pl.DataFrame
    statuses: pl.DataFrame


def identify_families(
    accepted: Mapping[str, pl.DataFrame], as_of: date, criteria: Criteria, deliveries: Mapping[str, str] | None = None
) -> Identification:
    """Evaluate the issues of the criteria for every family assessed by `as_of`.

    `accepted`: the minimised typed frame of each feed supplied, by feed name; `case_management` is needed.
    `deliveries`: which delivery each feed's frame is, for the evidence to name. The result depends on the rows and
    `as_of` only, neither on the rows' order nor on when it is run. Raises Misuse without families to assess,
    FlowRefused (N2) when the criteria are not in force.
    """
    criteria.require_in_force(as_of)
    if CASE not in accepted:
        raise Misuse(f"{CASE} is not among the deliveries, so there are no families to assess")
    case = accepted[CASE].filter(pl.col("assessed_on") <= as_of)
    supplied = {**accepted, CASE: case}
    links = link_people(supplied)
    own = links.filter(pl.col("feed") == CASE)
    listed = members(case, own, as_of, criteria)
    hits = count_issues(find_hits(supplied, links, listed, as_of, criteria, deliveries or {}), criteria)
    statuses = issue_statuses(supplied, links, listed, hits, as_of, criteria)
    return Identification(
        families=_families(assessed_families(case, listed), hits, statuses, as_of, criteria),
        hits=hits,
        people=_people(case, own),
        members=listed,
        links=links,
        statuses=statuses,
    )


def _families(
    assessed: pl.DataFrame, hits: pl.DataFrame, statuses: pl.DataFrame, as_of: date, criteria: Criteria
) -> pl.DataFrame:
    families = assessed.join(pressing(hits, as_of, criteria), on="family_ref", how="left").with_columns(
        pl.col("issues").fill_null(""),
        pl.col("issue_count", "points").fill_null(0),
        criteria=pl.lit(criteria.version),
    )
    enough = pl.col("issue_count") >= criteria.minimum_issues
    families = families.with_columns(identified=enough & pl.col("has_dependant"))
    silent = (
        statuses.filter(pl.col("status") == "not_supplied")
        .group_by("family_ref")
        .agg(not_supplied=pl.col("issue").cast(pl.Enum(list(criteria.issues))).sort().cast(pl.String).str.join(";"))
    )
    return (
        invite(explain(rank(families, criteria), criteria), criteria)
        .join(reasons(families, hits, statuses, criteria), on="family_ref", how="left")
        .join(silent, on="family_ref", how="left")
        .with_columns(pl.col("not_supplied").fill_null(""))
        .sort("rank")
        .select(FAMILIES)
    )


def _people(case: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    return (
        case.join(own.select("person_ref", "person_id"), on="person_ref")
        .sort("family_ref", "person_id", "person_ref", "role")
        .unique(["family_ref", "person_id"], keep="first", maintain_order=True)
        .select(PEOPLE)
    )
