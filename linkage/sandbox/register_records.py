"""How a department writes people: its own slips for those the authority knows, and strangers, some much alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from linkage.sandbox import addresses, identities, names
from linkage.sandbox.columns import picked, text_column
from linkage.sandbox.slips import misread_dates, mistyped

IDENTIFIERS = ("forename", "surname", "date_of_birth", "gender", "address", "postcode", "nino")


@dataclass(frozen=True)
class Habits:
    """The ages a department deals with, and its rates: names that vary, wrong dates of birth, old addresses, missing
    postcodes, NINOs held."""

    ages: tuple[int, int]
    name_varies: float = 0.08
    date_wrong: float = 0.015
    address_old: float = 0.10
    postcode_missing: float = 0.0
    nino_held: float = 0.0


HABITS = {
    "dwp": Habits(ages=(16, 66), nino_held=0.98),
    "moj": Habits(ages=(10, 60), postcode_missing=0.12, nino_held=0.45),
    "dfe": Habits(ages=(4, 18)),
}
# Strangers made from somebody of the families: share of all strangers, by what they have in common.
_ALIKE = {
    "same_name": 0.03,  # forename, surname, gender; another date of birth and address
    "twin": 0.002,  # surname, date of birth, address; another forename: about one member in fifty has such a twin
    "relative": 0.02,  # surname and address
    "same_dwelling": 0.02,  # address
    "elder_namesake": 0.01,  # forename, surname, address; a generation older
}


def as_registered(rng: np.random.Generator, department: str, known: pl.DataFrame) -> pl.DataFrame:
    """People of the families as the department has them: person_id, status, assessed_on, age, IDENTIFIERS.

    Canaries are written exactly as the authority writes them, so that they can be found.
    """
    habits, size = HABITS[department], known.height
    frame = known.with_columns(
        mistyped(rng, known["forename"]).alias("typo_forename"),
        mistyped(rng, known["surname"]).alias("typo_surname"),
        misread_dates(rng, known["date_of_birth"]).alias("typo_date"),
        *(pl.Series(f"u{place}", rng.random(size)) for place in range(6)),
        *(column.alias(f"lost_{column.name}") for column in addresses.dwelling_columns(_dwellings(rng, size))),
    )
    free = ~pl.col("is_canary")
    varies = free & (pl.col("u0") < habits.name_varies)
    wrong = free & (pl.col("u2") < habits.date_wrong)
    old = free & (pl.col("u3") < habits.address_old)
    no_postcode = free & (pl.col("u4") < habits.postcode_missing)
    held = (pl.col("u5") < habits.nino_held) | (pl.col("is_canary") & (habits.nino_held > 0))
    # A changed surname comes first, then the short form, then slips of the hand.
    by_surname = varies & pl.col("former_surname").is_not_null()
    by_short = varies & ~by_surname & pl.col("short_form").is_not_null()
    by_slip = varies & ~by_surname & ~by_short
    swapped = by_slip & (pl.col("u1") < 0.12)
    slip_first, slip_last = by_slip & pl.col("u1").is_between(0.12, 0.56), by_slip & (pl.col("u1") > 0.56)
    return frame.select(
        "person_id",
        "status",
        "assessed_on",
        "age",
        picked("forename", (by_short, "short_form"), (swapped, "surname"), (slip_first, "typo_forename")),
        picked("surname", (by_surname, "former_surname"), (swapped, "forename"), (slip_last, "typo_surname")),
        picked("date_of_birth", (wrong, "typo_date")),
        "gender",
        picked("address", (old, pl.coalesce("former_address", "lost_address"))),
        picked("postcode", (no_postcode, pl.lit(None)), (old, pl.coalesce("former_postcode", "lost_postcode"))),
        pl.when(held).then("nino_issued").alias("nino"),
    )


def strangers(
    rng: np.random.Generator,
    department: str,
    people: pl.DataFrame,
    size: int,
    as_of: date,
    first_serial: int,
    seed: int,
) -> pl.DataFrame:
    """`size` records of people in none of the families: age and IDENTIFIERS. Nobody resembles a canary."""
    habits = HABITS[department]
    low, high = habits.ages
    origin, female = names.draw_origins(rng, size), rng.random(size) < 0.5
    fitting = people.filter(~pl.col("is_canary") & pl.col("age").is_between(low, high))
    like = fitting[rng.integers(0, fitting.height, size)]
    steps = np.cumsum(list(_ALIKE.values()))
    kinds = np.array([*_ALIKE, "stranger"])[np.searchsorted(steps, (np.arange(size) + 0.5) / size)]
    born = np.datetime64(as_of) - (rng.integers(low, high + 1, size) * 365.25 + rng.integers(1, 364, size)).astype(
        "timedelta64[D]"
    )
    frame = pl.DataFrame(
        {
            "kind": text_column("", kinds),
            "forename": text_column("", names.draw_forenames(rng, origin, female)),
            "surname": text_column("", names.draw_surnames(rng, origin)),
            "female": female,
            "born": pl.Series(born).cast(pl.Date),
            "dwelling": _dwellings(rng, size),
            "nino_issued": text_column("", identities.ninos(np.arange(first_serial, first_serial + size), seed)),
            "u4": rng.random(size),
            "u5": rng.random(size),
            "gap": rng.integers(8_000, 14_000, size),
        }
    )
    model = like.select(pl.all().name.prefix("like_"))
    frame = _likeness(pl.concat([frame, model], how="horizontal"), people, low, high, as_of)
    return frame.with_columns(*addresses.dwelling_columns(frame["dwelling"])).select(
        pl.lit(None, dtype=pl.String).alias("person_id"),
        ((pl.lit(as_of) - pl.col("born")).dt.total_days() // 365.25).cast(pl.Int64).alias("age"),
        "forename",
        "surname",
        pl.col("born").alias("date_of_birth"),
        pl.when("female").then(pl.lit("F")).otherwise(pl.lit("M")).alias("gender"),
        "address",
        pl.when(pl.col("u4") >= habits.postcode_missing).then("postcode").alias("postcode"),
        pl.when((pl.col("u5") < habits.nino_held) & (pl.col("age_now") >= 16)).then("nino_issued").alias("nino"),
    )


def _dwellings(rng: np.random.Generator, size: int) -> pl.Series:
    return pl.Series(addresses.draw_dwellings(rng, size))


def _likeness(frame: pl.DataFrame, people: pl.DataFrame, low: int, high: int, as_of: date) -> pl.DataFrame:
    kind = pl.col("kind")
    namesake, kin = kind.is_in(["same_name", "elder_namesake"]), kind.is_in(["twin", "relative"])
    elder = pl.col("like_date_of_birth") - pl.duration(days=pl.col("gap"))
    made = frame.with_columns(
        picked("forename", (namesake, "like_forename")),
        picked("surname", (namesake | kin, "like_surname")),
        picked("female", (namesake, "like_female")),
        picked("born", (kind == "twin", "like_date_of_birth"), (kind == "elder_namesake", elder)),
        picked("dwelling", (kin | kind.is_in(["same_dwelling", "elder_namesake"]), "like_dwelling")),
    )
    made = made.with_columns(((pl.lit(as_of) - pl.col("born")).dt.total_days() // 365.25).alias("age_now"))
    # Somebody too like a member would be that member: one of the household's own names, or a birthday close by.
    households = people.select(like_family_ref="family_ref", forename="forename").unique()
    at_home = made.filter(kin).join(households, on=["like_family_ref", "forename"], how="semi")
    close = (pl.col("born") - pl.col("like_date_of_birth")).abs() < pl.duration(days=800)
    odd_age = (kind == "elder_namesake") & ~pl.col("age_now").is_between(low, high + 30)
    keep = ~((kind == "same_name") & close) & ~odd_age
    own = made.with_row_index("row").filter(keep)
    twins_of_members = at_home.select("nino_issued")
    return own.join(twins_of_members, on="nino_issued", how="anti", maintain_order="left").drop("row")
