"""People in partners' files who are in no family of the authority, some of them easy to take for somebody who is."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from linkage.sandbox import addresses, identities, names
from linkage.sandbox.columns import text_column
from linkage.sandbox.households import whole_years
from linkage.sandbox.terms import school_year_start

_PER_PERSON = 0.5  # strangers for each person of the families
_SERIALS = 200_000  # clear of the families' own serials
_KINDS = {"stranger": 0.70, "same_name": 0.10, "same_dwelling": 0.12, "relative_at_home": 0.08}


def draw_neighbours(rng: np.random.Generator, seed: int, people: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Strangers with the identifying columns of Population.people, plus `kind`.

    `same_name` shares forename, surname and gender with somebody in a family but not the date of birth or the address;
    `same_dwelling` shares the address only; `relative_at_home` shares address and surname. Nobody resembles a canary.
    """
    size = max(24, round(people.height * _PER_PERSON))
    steps = np.cumsum(list(_KINDS.values()))
    kind = np.array(list(_KINDS))[np.searchsorted(steps, (np.arange(size) + 0.5) / size).clip(0, len(_KINDS) - 1)]
    ordinary = people.filter(~pl.col("is_canary") & (pl.col("role") != "non_resident_parent"))
    like = ordinary[rng.integers(0, ordinary.height, size)]
    origin = names.draw_origins(rng, size)
    female = np.where(kind == "same_name", like["female"].to_numpy(), rng.random(size) < 0.5)
    age = np.where(rng.random(size) < 0.35, rng.integers(5, 17, size), rng.integers(19, 70, size))
    born = pl.Series(
        np.datetime64(school_year_start(as_of)) - (age * 365.25 + rng.integers(10, 355, size)).astype("timedelta64[D]")
    )
    dwelling = pl.Series(addresses.draw_dwellings(rng, size))
    serials = np.arange(_SERIALS, _SERIALS + size, dtype=np.int64)
    frame = pl.DataFrame(
        {
            "person_id": text_column("", "N" + identities.digits(np.arange(size), 7)),
            "kind": text_column("", kind),
            "family": pl.Series(np.arange(size), dtype=pl.Int64),
            "slot": "stranger",
            "role": text_column("", np.where(age < 18, "child", "adult")),
            "age": age,
            "female": female,
            "is_canary": False,
            "forename": text_column("", names.draw_forenames(rng, origin, female)),
            "surname": text_column("", names.draw_surnames(rng, origin)),
            "date_of_birth": born.cast(pl.Date),
            "dwelling": dwelling,
            "nino_issued": text_column("", identities.ninos(serials, seed)),
            "nhs_number": text_column("", identities.nhs_numbers(serials, seed)),
            "upn": text_column("", identities.upns(serials, school_year_start(as_of).year - age, seed)),
        }
    )
    frame = _likeness(frame, like).with_columns(whole_years("date_of_birth", as_of).alias("age"))
    home = addresses.dwelling_columns(frame["dwelling"])
    return frame.with_columns(
        *home,
        pl.when("female").then(pl.lit("F")).otherwise(pl.lit("M")).alias("gender"),
        pl.when(pl.col("age") >= 16).then("nino_issued").alias("nino_issued"),
        pl.when(pl.col("age") >= 16).then("nino_issued").alias("nino"),
        pl.when(pl.col("age") < 16).then("upn").alias("upn"),
        *(
            pl.lit(None, dtype=pl.String).alias(name)
            for name in ("former_surname", "short_form", "former_address", "former_postcode", "former_uprn")
        ),
        pl.lit(False).alias("twin"),
        pl.lit(False).alias("namesake"),
    )


def _likeness(frame: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
    model = like.select(
        m_forename="forename", m_surname="surname", m_dwelling="dwelling", m_born="date_of_birth", m_family="family"
    )
    kind = pl.col("kind")
    taken = like.select("family", "forename").rename({"family": "m_family"}).unique()
    joined = pl.concat([frame, model], how="horizontal").with_columns(
        pl.when(kind == "same_name").then("m_forename").otherwise("forename").alias("forename"),
        pl.when(kind.is_in(["same_name", "relative_at_home"])).then("m_surname").otherwise("surname").alias("surname"),
        pl.when(kind.is_in(["same_dwelling", "relative_at_home"]))
        .then("m_dwelling")
        .otherwise("dwelling")
        .alias("dwelling"),
    )
    # A relative who happened to draw the name of somebody in that very household would be that person: drop the row.
    same = joined.filter(kind == "relative_at_home").join(taken, on=["m_family", "forename"], how="semi")
    too_close = joined.filter(
        (kind == "same_name") & ((pl.col("date_of_birth") - pl.col("m_born")).abs() < pl.duration(days=800))
    )
    return joined.join(pl.concat([same, too_close]), on="person_id", how="anti", maintain_order="left").drop(
        "m_forename", "m_surname", "m_dwelling", "m_born", "m_family"
    )
