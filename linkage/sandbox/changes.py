"""What happens to families and people between waves: who comes, goes, moves, is born, renamed or written down rightly.

Wave numbers count from 0; -1 means never. Canaries, twins and namesakes change nothing about themselves: no slip ever blurs
what tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from linkage.sandbox import addresses, identities, names
from linkage.sandbox.columns import text_column
from linkage.sandbox.slips import misread_dates

# Kind of family history -> its share of families that are no canaries. Quotas, not chances.
HISTORIES = {
    "stays": 0.69,
    "joins": 0.08,  # assessed between two waves
    "leaves": 0.06,  # moves out of both boroughs
    "is_away": 0.04,  # left out of the second wave, back in the third
    "moves": 0.07,  # another address in the same borough
    "changes_authority": 0.06,  # moves to the other borough, which assesses the family anew
}
_SECOND = 0.45  # families that the second authority knows from the beginning
_BIRTHS, _RENAMED, _NINO_WRONG, _DATE_WRONG = 0.05, 0.06, 0.03, 0.02
_BIRTH_SERIALS, _HOMES = 150_000, 4_000_000  # clear of everybody's serials and of every dwelling drawn before


@dataclass(frozen=True)
class Changes:
    """families: one row per family (position): history, wave (of the change), second (which authority at first, bool), and
    where it moves: new_address, new_postcode, new_uprn.
    people: one row per person: renamed_at, new_surname, nino_at (wave from which the authority writes the right
    National Insurance number), nino_before, date_at, date_before (likewise for the date of birth).
    births: family, born_at, forename, female, serial: children born between waves."""

    families: pl.DataFrame
    people: pl.DataFrame
    births: pl.DataFrame


def draw_changes(rng: np.random.Generator, seed: int, people: pl.DataFrame, waves: int) -> Changes:
    """Draw the changes of `waves` waves for the people of a Population."""
    families = _families(rng, seed, people, waves)
    return Changes(families, _people(rng, people, waves), _births(rng, people, families, waves))


def _later(rng: np.random.Generator, size: int, waves: int) -> pl.Series:
    """For each, one of the waves after the first."""
    return pl.Series(rng.integers(1, waves, size))


def _families(rng: np.random.Generator, seed: int, people: pl.DataFrame, waves: int) -> pl.DataFrame:
    family = people.group_by("family").agg(pl.col("is_canary").any()).sort("family")
    size = family.height
    steps = np.cumsum(list(HISTORIES.values()))
    drawn = np.array(list(HISTORIES), dtype=object)[np.searchsorted(steps, (np.arange(size) + 0.5) / size - 1e-9)]
    homes = pl.Series(addresses.distinct_dwellings(np.arange(_HOMES // 10, _HOMES // 10 + size), seed + 1))
    told = family.with_columns(
        text_column("history", rng.permutation(drawn)),
        _later(rng, size, waves).alias("wave"),
        pl.Series("second", rng.random(size) < _SECOND),
        *(column.alias(f"new_{column.name}") for column in addresses.dwelling_columns(homes)),
    )
    canary = pl.col("is_canary")
    return told.with_columns(
        pl.when(canary).then(pl.lit("stays")).otherwise("history").alias("history"),
        pl.when(pl.col("history") == "is_away").then(1).otherwise("wave").alias("wave"),
        pl.col("second") & ~canary,
    ).drop("is_canary")


def _people(rng: np.random.Generator, people: pl.DataFrame, waves: int) -> pl.DataFrame:
    size = people.height
    free = ~(pl.col("is_canary") | pl.col("twin") | pl.col("namesake"))
    surnames = names.draw_surnames(rng, names.draw_origins(rng, size))
    later = _later(rng, size, waves)
    told = people.select(
        "person_id",
        "nino",
        "nino_issued",
        text_column("new_surname", surnames),
        misread_dates(rng, people["date_of_birth"]).alias("date_before"),
        text_column("nino_slip", identities.ninos(np.arange(_BIRTH_SERIALS, _BIRTH_SERIALS + size), seed=9)),
        pl.Series("draw", rng.random(size)),
        free.alias("free"),
        (pl.col("age") >= 18).alias("adult"),
        later.alias("later"),
    )
    # One change for a person at most, so that each is met by what did not change.
    draw, last = pl.col("draw"), 0.0
    shares = {"renamed": _RENAMED, "wrong": _NINO_WRONG, "misread": _DATE_WRONG}
    for name, share in shares.items():
        told = told.with_columns((pl.col("free") & draw.is_between(last, last + share, closed="left")).alias(name))
        last += share
    wrong = pl.col("wrong") & pl.col("nino").is_not_null()
    learnt = pl.col("free") & pl.col("nino").is_null() & pl.col("nino_issued").is_not_null() & (draw > 0.5)
    # Two digits are somebody else's: further off than the one-digit slips that matching looks for.
    slip = (
        pl.col("nino_issued").str.slice(0, 6) + pl.col("nino_slip").str.slice(6, 2) + pl.col("nino_issued").str.slice(8)
    )
    return told.select(
        "person_id",
        "new_surname",
        "date_before",
        _at(pl.col("renamed") & pl.col("adult")).alias("renamed_at"),
        _at(wrong | learnt).alias("nino_at"),
        pl.when(wrong).then(slip).alias("nino_before"),
        _at(pl.col("misread")).alias("date_at"),
    )


def _at(happens: pl.Expr) -> pl.Expr:
    return pl.when(happens).then("later").otherwise(-1)


def _births(rng: np.random.Generator, people: pl.DataFrame, families: pl.DataFrame, waves: int) -> pl.DataFrame:
    mothers = people.filter(pl.col("slot") == "parent", ~pl.col("is_canary"), pl.col("age").is_between(18, 43))
    chosen = mothers.filter(pl.Series(rng.random(mothers.height)) < _BIRTHS).sort("family")
    size = chosen.height
    origin, female = names.draw_origins(rng, size), rng.random(size) < 0.5
    return pl.DataFrame(
        {
            "family": chosen["family"],
            "born_at": _later(rng, size, waves),
            "forename": text_column("", names.draw_forenames(rng, origin, female)),
            "female": female,
            "serial": np.arange(_BIRTH_SERIALS, _BIRTH_SERIALS + size),
        }
    ).join(families.filter(pl.col("history").is_in(["stays", "moves"])).select("family"), on="family", how="semi")
