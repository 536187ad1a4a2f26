"""The five identifiers as every holder writes them before they become tokens (docs/canonicalisation.md)."""

from __future__ import annotations

from typing import Final

import polars as pl

from linkage.errors import Misuse
from linkage.identifiers import names, places
from linkage.identifiers.validity import bare, valid_nino

VERSION: Final = 1
RAW: Final = ("forename", "surname", "date_of_birth", "gender", "address", "postcode", "nino")
STANDARD: Final = (
    "record_id",
    "forename",
    "forename_initial",
    "forename_variants",
    "forename_sound",
    "forename_known",
    "surname",
    "surname_parts",
    "surname_sound",
    "date_of_birth",
    "birth_year",
    "birth_month",
    "birth_day",
    "gender",
    "house_number",
    "flat",
    "street",
    "address",
    "postcode",
    "postcode_sector",
    "nino",
)
_GENDERS = {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F", "X": "X"}


def standardise(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per record with the columns of STANDARD, all text, in the given row order (N6).

    `frame` has record_id and any of RAW; what is absent is null throughout, other columns are left out. A value that
    cannot be read becomes null: dates are ISO or nothing, never guessed. Raises Misuse without usable record ids.
    """
    checked = _checked(frame)
    return (
        checked.lazy()
        .with_columns(names.fold(pl.col(column)) for column in RAW)
        .with_columns(_forename=names.words(pl.col("forename")), _surname=names.words(pl.col("surname")))
        .with_columns(_first=names.first(pl.col("_forename")), _all=names.compact(pl.col("_forename")))
        .with_columns(*_names(), *_birth(), *_places(), _gender(), _nino())
        .select(STANDARD)
        .collect()
    )


def unusable(frame: pl.DataFrame, standard: pl.DataFrame) -> dict[str, int]:
    """How many values of each raw column were present and could not be used: counts only, for reports and flags."""
    return {
        column: int((frame[column].cast(pl.String).str.strip_chars().replace("", None).is_not_null()
                     & standard[column].is_null()).sum())
        for column in RAW
        if column in frame.columns
    }  # fmt: skip


def _checked(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with record_id and every raw column as text. Null-only columns of any type are fine."""
    if "record_id" not in frame.columns:
        raise Misuse("no record_id column: every record needs an identifier of its own")
    told = frame.select(
        pl.col("record_id").cast(pl.String),
        *(
            (pl.col(column) if column in frame.columns else pl.lit(None)).cast(pl.String).alias(column)
            for column in RAW
        ),
    )
    blank = told["record_id"].is_null() | (told["record_id"].str.strip_chars() == "")
    if blank.any():
        raise Misuse(f"record_id is empty in {int(blank.sum())} rows, first in row {(blank.arg_max() or 0) + 1}")
    again = ~told["record_id"].is_first_distinct()
    if again.any():
        row = (again.arg_max() or 0) + 1
        raise Misuse(f"record_id occurs more than once: {int(again.sum())} rows repeat one, first row {row}")
    return told


def _names() -> list[pl.Expr]:
    first, whole, surname = pl.col("_first"), pl.col("_all"), names.compact(pl.col("_surname"))
    # A bare initial is not a forename: it can support one, never stand for it.
    forename = pl.when(whole.str.len_chars() >= 2).then(whole)
    either = pl.concat_list(
        first, forename, names.variants(first).str.split(" "), names.variants(forename).str.split(" ")
    )
    listed = either.list.drop_nulls().list.unique().list.sort().list.join(" ")
    return [
        forename.alias("forename"),
        whole.str.head(1).alias("forename_initial"),
        pl.when(listed != "").then(listed).alias("forename_variants"),
        names.sound(forename).alias("forename_sound"),
        pl.coalesce(names.known(forename), names.known(first)).alias("forename_known"),
        surname.alias("surname"),
        pl.coalesce(names.parts(pl.col("_surname")), surname).alias("surname_parts"),
        names.sound(surname).alias("surname_sound"),
    ]


def _birth() -> list[pl.Expr]:
    """The date when it exists in the calendar; its parts whenever the text has the ISO shape and each is in range."""
    text = pl.col("date_of_birth").str.extract(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})$", 1)
    day = text.str.to_date("%Y-%m-%d", strict=False)
    # 1900-01-01 is what systems write when nobody knew.
    real = day.is_between(pl.date(1900, 1, 2), pl.date(2099, 12, 31))
    year, month, date = text.str.slice(0, 4), text.str.slice(5, 2), text.str.slice(8, 2)
    shown = text != "1900-01-01"
    return [
        pl.when(real).then(text).alias("date_of_birth"),
        pl.when(shown & year.is_between(pl.lit("1900"), pl.lit("2099"))).then(year).alias("birth_year"),
        pl.when(shown & month.is_between(pl.lit("01"), pl.lit("12"))).then(month).alias("birth_month"),
        pl.when(shown & date.is_between(pl.lit("01"), pl.lit("31"))).then(date).alias("birth_day"),
    ]


def _places() -> list[pl.Expr]:
    words = places.address_words(pl.col("address"))
    code = places.postcode(pl.col("postcode"))
    return [
        places.house_number(words).alias("house_number"),
        places.flat(words).alias("flat"),
        places.street(words).alias("street"),
        words.alias("address"),
        code.alias("postcode"),
        places.sector(code).alias("postcode_sector"),
    ]


def _gender() -> pl.Expr:
    return pl.col("gender").replace_strict(_GENDERS, default=None, return_dtype=pl.String)


def _nino() -> pl.Expr:
    """The first eight characters of a number that could have been issued: the suffix is often left off."""
    return pl.when(valid_nino(pl.col("nino"))).then(bare(pl.col("nino")).str.head(8)).alias("nino")
