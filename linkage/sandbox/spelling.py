"""How each partner spells the people it knows: its own references, styles, gaps and slips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from linkage.sandbox import identities
from linkage.sandbox.columns import text_column
from linkage.sandbox.slips import misread_dates, mistyped

P_COLUMNS = ("person_ref", "forename", "surname", "date_of_birth", "gender", "address", "postcode", "uprn", "nino")

# At most one of these befalls a person in one partner's file; the rest of the draws change nothing.
_SLIPS = {
    "short_form": 0.40,  # only of those who use one
    "former_surname": 0.40,  # only of those who had another
    "forename_mistyped": 0.025,
    "surname_mistyped": 0.025,
    "date_misread": 0.012,
    "names_swapped": 0.012,
    "gender_unknown": 0.01,
    "postcode_missing": 0.02,
}
_OLD_ADDRESS = 0.5  # of those who moved and have no other slip


@dataclass(frozen=True)
class Partner:
    """A partner's habits: prefix of its references, share of adults whose NINO and of homes whose UPRN it knows, and
    whether it writes names in capitals."""

    prefix: str
    ninos: float
    uprns: float
    capitals: bool = False


PARTNERS: dict[str, Partner] = {
    "schools": Partner("SCH", 0.0, 0.3),
    "police": Partner("POL", 0.25, 0.2, capitals=True),
    "probation": Partner("PRB", 0.7, 0.2),
    "housing": Partner("HSG", 0.6, 0.95),
    "jobcentre": Partner("JCP", 0.97, 0.1),
    "health": Partner("NHS", 0.0, 0.4, capitals=True),
    "referrals": Partner("REF", 0.3, 0.2),
}


def person_refs(feed: str, serials: pl.Series, seed: int) -> pl.Series:
    """A partner's own references for people by their serial: no two alike, nothing shared between partners."""
    place = list(PARTNERS).index(feed) if feed in PARTNERS else len(PARTNERS)
    prefix = PARTNERS[feed].prefix if feed in PARTNERS else "LAC"
    numbers = identities.spread(serials.to_numpy().astype(np.int64), 9_999_991, seed * 31 + place + 1)
    return text_column("person_ref", prefix + "-" + identities.digits(numbers, 7))


def as_spelt(rng: np.random.Generator, feed: str, people: pl.DataFrame, seed: int, firm: pl.Series) -> pl.DataFrame:
    """`people` (with `serial`) as one partner writes them: person_id, `slip` and the P columns, all text.

    `firm` lists the person_ids whose record carries no slip: canaries, and those that something else depends on. Twins
    and namesakes carry none either, so that what tells them apart is always there.
    """
    partner = PARTNERS[feed]
    size = people.height
    slip = _drawn_slips(rng, people, firm)
    frame = people.with_columns(
        person_refs(feed, people["serial"], seed),
        slip,
        mistyped(rng, people["forename"]).alias("typo_forename"),
        mistyped(rng, people["surname"]).alias("typo_surname"),
        misread_dates(rng, people["date_of_birth"]).alias("typo_date"),
        pl.Series("u_home", rng.random(size)),
        pl.Series("u_nino", rng.random(size)),
        pl.Series("u_uprn", rng.random(size)),
    )
    kind, old = pl.col("slip"), (pl.col("slip") == "old_address")
    forename = (
        pl.when(kind == "short_form")
        .then("short_form")
        .when(kind == "forename_mistyped")
        .then("typo_forename")
        .when(kind == "names_swapped")
        .then("surname")
        .otherwise("forename")
    )
    surname = (
        pl.when(kind == "former_surname")
        .then("former_surname")
        .when(kind == "surname_mistyped")
        .then("typo_surname")
        .when(kind == "names_swapped")
        .then("forename")
        .otherwise("surname")
    )
    spelt = frame.select(
        "person_id",
        "slip",
        "person_ref",
        forename.alias("forename"),
        surname.alias("surname"),
        pl.when(kind == "date_misread")
        .then("typo_date")
        .otherwise("date_of_birth")
        .dt.to_string("%Y-%m-%d")
        .alias("date_of_birth"),
        pl.when(kind == "gender_unknown").then(pl.lit("U")).otherwise("gender").alias("gender"),
        *(pl.when(old).then(f"former_{name}").otherwise(name).alias(name) for name in ("address", "postcode", "uprn")),
        pl.when((pl.col("u_nino") < partner.ninos) | pl.col("is_canary")).then("nino_issued").alias("nino")
        if partner.ninos
        else pl.lit(None, dtype=pl.String).alias("nino"),
        u_uprn="u_uprn",
    )
    capital = [pl.col(name).str.to_uppercase() for name in ("forename", "surname")] if partner.capitals else []
    return spelt.with_columns(
        *capital,
        pl.when(kind != "postcode_missing").then("postcode").alias("postcode"),
        pl.when(pl.col("u_uprn") < partner.uprns).then("uprn").alias("uprn"),
    ).drop("u_uprn")


def _drawn_slips(rng: np.random.Generator, people: pl.DataFrame, firm: pl.Series) -> pl.Series:
    draws = {name: rng.random(people.height) < share for name, share in _SLIPS.items()}
    possible = {
        "short_form": pl.col("short_form").is_not_null(),
        "former_surname": pl.col("former_surname").is_not_null(),
    }
    drawn = pl.coalesce(
        pl.when(pl.Series(hit) & possible.get(name, pl.lit(True))).then(pl.lit(name)) for name, hit in draws.items()
    )
    moved = pl.col("former_address").is_not_null() & pl.Series(rng.random(people.height) < _OLD_ADDRESS)
    is_firm = pl.col("person_id").is_in(firm.implode()) | pl.col("is_canary")
    likely = pl.col("twin") | pl.col("namesake") | is_firm
    chosen = pl.when(~likely).then(drawn)
    # A move happens to anybody; only records that nothing may disturb are spared.
    with_moves = pl.coalesce(chosen, pl.when(moved & ~is_firm).then(pl.lit("old_address")), pl.lit("none"))
    return people.select(with_moves.alias("slip")).to_series()
