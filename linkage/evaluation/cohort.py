"""The cohort of a wave: everybody in an assessed family, whether or not the family was invited or joined (N5)."""

from __future__ import annotations

from datetime import date

import polars as pl

from linkage.errors import CheckFailed, Misuse
from linkage.evaluation import schemas
from linkage.evaluation.schemas import require_unique

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
FAMILIES = ("family_ref", "issue_count", "identified")


def build_cohort(
    people: pl.DataFrame,
    families: pl.DataFrame,
    wave: str,
    authority: str,
    *,
    as_of: date | None = None,
) -> pl.DataFrame:
    """One row per person of an assessed family: identifiers, programme attributes, `authority` and `wave`.

    A family belongs when any of its members was assessed by `as_of` (N5): its place on a ranking, an invitation or
    its consent to join play no part. `people` has the columns `PEOPLE`; `families` has `FAMILIES` and may have more,
    which are left behind (N3). A person in two families is taken with the one assessed first. Dates may be text
    (YYYY-MM-DD) or dates. `as_of` defaults to the day the programme submits this wave; ages are counted on it.

    Raises Misuse for missing columns or an unknown wave, CheckFailed for a family listed twice.
    """
    _require("people", people, PEOPLE)
    _require("families", families, FAMILIES)
    require_unique(families, "family_ref", "families")
    day = as_of or wave_day(wave)
    told = people.select(PEOPLE).with_columns(_day("date_of_birth"), _day("assessed_on"))
    stated = people.select(pl.col("assessed_on").cast(pl.String).fill_null("").str.len_chars() > 0).to_series().sum()
    lost = stated - told["assessed_on"].count()
    if lost:
        raise CheckFailed(f"people: assessed_on is not a date in {lost} rows")
    assessed = (
        told.filter(pl.col("assessed_on") <= day)
        .group_by("family_ref")
        .agg(pl.col("assessed_on").min().alias("family_assessed_on"))
    )
    return (
        told.join(assessed, on="family_ref", how="inner")
        .sort("family_assessed_on", "family_ref", "person_id")
        .unique("person_id", keep="first", maintain_order=True)
        .join(families.select(FAMILIES), on="family_ref", how="left")
        .with_columns(
            pl.lit(authority).alias("authority"),
            pl.lit(wave).alias("wave"),
            _age("date_of_birth", day).alias("age_at_wave"),
            pl.col("family_assessed_on").dt.strftime("%Y-%m").alias("assessed_month"),
            pl.col("date_of_birth").dt.strftime("%Y-%m-%d"),
            pl.col("issue_count").cast(pl.Int64),
            pl.col("identified").cast(pl.Boolean),
        )
        .select("person_id", "family_ref", *schemas.load().identifiers, *_programme_columns())
        .sort("person_id")
    )


def wave_day(wave: str) -> date:
    """The day the programme submits `wave`. Raises Misuse when the programme knows no such wave (N8)."""
    from linkage import policy

    return policy.load().wave(wave).submit_on


def _programme_columns() -> list[str]:
    identifiers = set(schemas.load().identifiers)
    return [column for column in schemas.load().attributes if column not in identifiers]


def _require(what: str, frame: pl.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise Misuse(f"{what} lacks {', '.join(missing)}")


def _day(column: str) -> pl.Expr:
    # Strict dates only: an ambiguous date is never guessed, it stays empty.
    return pl.col(column).cast(pl.String).str.to_date("%Y-%m-%d", strict=False, exact=True)


def _age(column: str, day: date) -> pl.Expr:
    born = pl.col(column)
    month = born.dt.month().cast(pl.Int32)  # polars gives months as 8-bit numbers, which 1004 does not fit
    not_yet = (month * 100 + born.dt.day()) > (day.month * 100 + day.day)
    return (day.year - born.dt.year() - not_yet.cast(pl.Int32)).cast(pl.Int64)
