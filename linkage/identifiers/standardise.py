"""The five identifiers as every holder writes them before they become tokens (docs/canonicalisation.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from linkage.errors import Misuse
from linkage.identifiers import names, places
from linkage.identifiers.distinct import Distinct, distinct
from linkage.identifiers.validity import bare, issued_nino

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
    told = by_value(frame)
    parts = [told.ids.to_frame(), *(told.values[column].rows() for column in RAW)]
    return pl.concat(parts, how="horizontal").select(STANDARD)


@dataclass(frozen=True)
class ByValue:
    """A standardised file, each distinct value once: `values` holds, per raw column, the STANDARD columns made of it."""

    ids: pl.Series
    values: dict[str, Distinct]


def by_value(frame: pl.DataFrame) -> ByValue:
    """`standardise`, without writing out every row: a million people have some ten thousand different forenames.

    Raises Misuse without usable record ids.
    """
    return ByValue(
        checked_ids(frame), {column: distinct(text_of(frame, column), *how) for column, how in _DERIVE.items()}
    )


def unusable(frame: pl.DataFrame, standard: pl.DataFrame) -> dict[str, int]:
    """How many values of each raw column were present and could not be used: counts only, for reports and flags."""
    return {
        column: int((frame[column].cast(pl.String).str.strip_chars().replace("", None).is_not_null()
                     & standard[column].is_null()).sum())
        for column in RAW
        if column in frame.columns
    }  # fmt: skip


def checked_ids(frame: pl.DataFrame) -> pl.Series:
    """The record ids as text. Raises Misuse, by row number, unless every row has one of its own."""
    if "record_id" not in frame.columns:
        raise Misuse("no record_id column: every record needs an identifier of its own")
    ids = text_of(frame, "record_id")
    blank = ids.is_null() | (ids.str.strip_chars() == "")
    if blank.any():
        raise Misuse(f"record_id is empty in {int(blank.sum())} rows, first in row {(blank.arg_max() or 0) + 1}")
    # Most files repeat none, and hashes that are all different show it.
    if (np.diff(np.sort(ids.hash().to_numpy())) == 0).any() and ids.n_unique() < len(ids):
        again = ~ids.is_first_distinct()
        row = (again.arg_max() or 0) + 1
        raise Misuse(f"record_id occurs more than once: {int(again.sum())} rows repeat one, first row {row}")
    return ids


def text_of(frame: pl.DataFrame, column: str) -> pl.Series:
    """A column as text whatever its type; null throughout when it is absent. Raises Misuse for lists and bytes."""
    if column not in frame.columns:
        return pl.Series(column, [None], dtype=pl.String).new_from_index(0, len(frame))
    told = frame[column]
    if isinstance(told.dtype, pl.Datetime):
        told = told.dt.date()
    if told.dtype.is_nested() or told.dtype in (pl.Binary, pl.Object):
        raise Misuse(f"column {column} holds neither text, numbers nor dates")
    return told.cast(pl.String)


def _forename(texts: pl.Series) -> pl.DataFrame:
    first, whole, forename = pl.col("_first"), pl.col("_all"), pl.col("forename")
    split = (
        _words(texts)
        .with_columns(_first=names.first(pl.col("_words")), _all=names.compact(pl.col("_words")))
        # A bare initial is not a forename: it can support one, never stand for it.
        .with_columns(forename=pl.when(~whole.str.contains("^[A-Z]$")).then(whole))
    )
    told = split.select(
        forename, first, whole.str.head(1).alias("forename_initial"),
        forename_known=pl.coalesce(names.known(forename), names.known(first)),
    )  # fmt: skip
    # Any other name is one name, which stands for itself.
    several = told.select(pl.col("forename_known").is_not_null() | first.ne_missing(forename)).to_series()
    return told.select(
        "forename",
        "forename_initial",
        names.changed(told["forename"], several, lambda rows: _variants(told[rows])).alias("forename_variants"),
        names.sounds(told["forename"]).alias("forename_sound"),
        "forename_known",
    )


def _variants(told: pl.DataFrame) -> pl.Series:
    """The full names that `forename` and its first word may stand for, and both as they are."""
    one, other = pl.col("_first"), pl.col("forename")
    either = pl.concat_list(one, other, names.variants(one).str.split(" "), names.variants(other).str.split(" "))
    listed = either.list.drop_nulls().list.unique().list.sort().list.join(" ")
    return told.select(pl.when(listed != "").then(listed)).to_series()


def _surname(texts: pl.Series) -> pl.DataFrame:
    told = _words(texts).with_columns(surname=names.compact(pl.col("_words")))
    return told.select(
        "surname",
        names.sounds(told["surname"]).alias("surname_sound"),
        surname_parts=pl.coalesce(names.parts(pl.col("_words")), pl.col("surname")),
    )


def _words(texts: pl.Series) -> pl.DataFrame:
    return names.folded(texts).alias("text").to_frame().lazy().select(_words=names.words(pl.col("text"))).collect()


def _birth(texts: pl.Series) -> pl.DataFrame:
    """The date when it exists in the calendar; its parts whenever the text has the ISO shape and each is in range."""
    text = pl.lit(names.folded(texts)).str.extract(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})$", 1)
    day = text.str.to_date("%Y-%m-%d", strict=False)
    # 1900-01-01 is what systems write when nobody knew.
    real = day.is_between(pl.date(1900, 1, 2), pl.date(2099, 12, 31))
    year, month, date = text.str.slice(0, 4), text.str.slice(5, 2), text.str.slice(8, 2)
    shown = text != "1900-01-01"
    return pl.select(
        date_of_birth=pl.when(real).then(text),
        birth_year=pl.when(shown & year.is_between(pl.lit("1900"), pl.lit("2099"))).then(year),
        birth_month=pl.when(shown & month.is_between(pl.lit("01"), pl.lit("12"))).then(month),
        birth_day=pl.when(shown & date.is_between(pl.lit("01"), pl.lit("31"))).then(date),
    )


def _gender(texts: pl.Series) -> pl.DataFrame:
    return pl.select(gender=pl.lit(names.folded(texts)).replace_strict(_GENDERS, default=None, return_dtype=pl.String))


def _address(texts: pl.Series) -> pl.DataFrame:
    words, rest = pl.col("address"), pl.col("_rest")
    told = (
        places.address_words(names.folded(texts))
        .to_frame()
        .with_columns(flat=places.flat(words))
        # Few addresses name a flat, and replacing is dear.
        .with_columns(_rest=pl.when(pl.col("flat").is_null()).then(words).otherwise(places.without_flat(words)))
    )
    return told.select(house_number=places.house_number(rest), flat="flat", street=places.street(rest), address=words)


def _postcode(texts: pl.Series) -> pl.DataFrame:
    code = pl.col("postcode")
    return pl.select(postcode=places.postcode(pl.lit(names.folded(texts)))).with_columns(
        postcode_sector=places.sector(code)
    )


def _nino(texts: pl.Series) -> pl.DataFrame:
    """The first eight characters of a number that could have been issued: the suffix is often left off."""
    number = pl.lit(names.repaired(names.folded(texts), "[ -]", bare))
    return pl.select(nino=pl.when(issued_nino(number)).then(number.str.head(8)))


# What each raw column becomes, and the columns by which values are told apart: the others follow from them.
_DERIVE: Final[dict[str, tuple[Callable[[pl.Series], pl.DataFrame], tuple[str, ...]]]] = {
    "forename": (_forename, ("forename", "forename_initial", "forename_variants", "forename_known")),
    "surname": (_surname, ("surname", "surname_parts")),
    "date_of_birth": (_birth, ("date_of_birth", "birth_year", "birth_month", "birth_day")),
    "gender": (_gender, ("gender",)),
    "address": (_address, ("address",)),
    "postcode": (_postcode, ("postcode",)),
    "nino": (_nino, ("nino",)),
}
