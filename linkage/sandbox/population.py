"""The synthetic borough: people, families and planted evidence, with the truth known. Pure; same seed, same borough."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from linkage.errors import Misuse
from linkage.sandbox.households import CANARY_FAMILIES, draw_households
from linkage.sandbox.neighbours import draw_neighbours
from linkage.sandbox.planting import plant_families, plant_strangers
from linkage.sandbox.plants import ISSUES
from linkage.sandbox.residents import settle

SANDBOX_AS_OF = date(2022, 10, 3)  # the day the sandbox's first deliveries arrive
MINIMUM_ISSUES = 2  # N2, stated here independently of the criteria file: the truth must not be read from what it judges
FEWEST_FAMILIES, MOST_FAMILIES = 10, 50_000


@dataclass(frozen=True)
class Population:
    """A borough as of a date.

    people     one row per person of the authority's families: person_id (truth), case_ref (the authority's own
               reference), family_ref, role, slot, forename, surname, date_of_birth, age, gender, address, postcode,
               uprn, nino (as the authority knows it), nino_issued (as the state knows it), nhs_number, upn,
               education_status, status, assessed_on, key_worker, is_canary, eligible, variants (`;` list of hazards),
               and the former surname, address and short form that partners may still use.
    families   one row per family: family_ref, status, assessed_on, eligible (has a dependent child or an expectant
               parent), issues (`;` list, planted), issue_count, resident_issues, elsewhere_issues, identified,
               is_canary.
    evidence   one row per planted record: person_id, family (position), plant, feed, meets, u1 to u4.
    neighbours people in no family, with the identifying columns of `people`; neighbour_evidence likewise.
    """

    seed: int
    as_of: date
    people: pl.DataFrame
    families: pl.DataFrame
    evidence: pl.DataFrame
    neighbours: pl.DataFrame
    neighbour_evidence: pl.DataFrame


def make_population(seed: int, families: int, as_of: date) -> Population:
    """Draw a borough of `families` families as of `as_of` (windows, terms and ages are relative to it).

    Raises Misuse below 10 families (four of them carry the canaries) or above 50,000 (test numbers run out).
    """
    if not FEWEST_FAMILIES <= families <= MOST_FAMILIES:
        raise Misuse(f"families must be between {FEWEST_FAMILIES} and {MOST_FAMILIES:,}")
    households = draw_households(_stream(seed, 1), families, as_of)
    people = settle(_stream(seed, 2), seed, households.members, as_of)
    evidence = plant_families(_stream(seed, 3), people)
    neighbours = draw_neighbours(_stream(seed, 4), seed, people, as_of)
    return Population(
        seed=seed,
        as_of=as_of,
        people=people.sort("case_ref"),
        families=families_of(people, evidence),
        evidence=evidence,
        neighbours=neighbours,
        neighbour_evidence=plant_strangers(_stream(seed, 5), neighbours),
    )


def _stream(seed: int, stage: int) -> np.random.Generator:
    """Each stage has its own stream, so that a change in one leaves the others' draws alone."""
    return np.random.default_rng([seed, stage])


def families_of(people: pl.DataFrame, evidence: pl.DataFrame) -> pl.DataFrame:
    """The truth. A parent who lives elsewhere adds at most one issue: the first, in the order of ISSUES, the household
    does not show itself."""
    order = {issue: place for place, issue in enumerate(ISSUES)}
    met = (
        evidence.filter(pl.col("meets").is_not_null())
        .join(people.select("person_id", "slot"), on="person_id")
        .select("family", "slot", "meets", order=pl.col("meets").replace_strict(order, return_dtype=pl.Int8))
    )
    resident = met.filter(pl.col("slot") != "elsewhere").unique(["family", "meets"])
    elsewhere = met.filter(pl.col("slot") == "elsewhere").unique(["family", "meets"])
    added = elsewhere.join(resident, on=["family", "meets"], how="anti").sort("order").unique("family", keep="first")
    lists = [
        _listed(pl.concat([resident, added]), "issues"),
        _listed(resident, "resident_issues"),
        _listed(elsewhere, "elsewhere_issues"),
    ]
    family = people.group_by("family").agg(
        pl.col("family_ref", "status", "assessed_on", "eligible", "is_canary").first()
    )
    for frame in lists:
        family = family.join(frame, on="family", how="left")
    count = (
        pl.when(pl.col("issues") == "").then(0).otherwise(pl.col("issues").str.count_matches(";") + 1).cast(pl.Int64)
    )
    return (
        family.with_columns(pl.col("issues", "resident_issues", "elsewhere_issues").fill_null(""))
        .with_columns(count.alias("issue_count"))
        .with_columns((pl.col("eligible") & (pl.col("issue_count") >= MINIMUM_ISSUES)).alias("identified"))
        .sort("family_ref")
    )


def _listed(met: pl.DataFrame, name: str) -> pl.DataFrame:
    return met.sort("order").group_by("family", maintain_order=True).agg(pl.col("meets").str.join(";").alias(name))


CANARY_FAMILY_COUNT = CANARY_FAMILIES
