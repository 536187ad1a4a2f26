"""The parts of match-keys: for each, the texts a person has for it, as an expression over the standard columns."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

_LONGEST = 16  # characters of a name whose deletion is tried: names that agree on sixteen are told apart elsewhere
_SHORTEST = 4  # below this, one character more or less makes another name (TIA, MIA)


def texts(part: str) -> pl.Expr:
    """A part's texts per person: text, or a list of different texts where a person has several; null where it is missing.

    Raises KeyError for a part nobody defined.
    """
    return _PARTS[part]


def _words(column: str) -> pl.Expr:
    return pl.col(column).str.split(" ")


def _several(*texts: pl.Expr) -> pl.Expr:
    """A list of those texts that are there: different ones, without spaces. (Faster than `concat_list`.)"""
    listed = pl.concat_str(*texts, separator=" ", ignore_nulls=True)
    return pl.when(listed != "").then(listed).str.split(" ")


def _deletions(text: pl.Expr, longest: int = _LONGEST) -> pl.Expr:
    """The text and every text one deletion away. Two texts sharing one of these differ by one edit or transposition.

    Bocek, Hunt and Stiller, Fast similarity search in large dictionaries (2007). Of a doubled letter only the first
    goes: without either the text is the same, so no text comes twice.
    """
    length, part = text.str.len_chars(), text.str.slice
    shorter = [
        pl.when(
            (length >= _SHORTEST) & (length > place) & ((place == 0) | (part(place, 1) != part(place - 1, 1)))
        ).then(text.str.head(place) + part(place + 1, 4 * _LONGEST))
        for place in range(longest)
    ]
    return _several(text, *shorter)


def _masked(text: pl.Expr, place: int) -> pl.Expr:
    """The text with one character left open."""
    return text.str.head(place) + "?" + text.str.slice(place + 1, 10)


def _dob_near() -> pl.Expr:
    """The date with one digit open, and with day and month in one order.

    The decade stays closed: one digit there is a generation, and a father and son may share the rest.
    """
    date = pl.col("date_of_birth")
    month, day = date.str.slice(5, 2), date.str.slice(8, 2)
    either_way = pl.concat_str(
        date.str.head(4), pl.min_horizontal(month, day), pl.max_horizontal(month, day), separator="/"
    )
    return _several(*(_masked(date, place) for place in (3, 5, 6, 8, 9)), either_way)


def _dob_partial() -> pl.Expr:
    year, month, day = pl.col("birth_year"), pl.col("birth_month"), pl.col("birth_day")
    return _several(
        pl.concat_str(pl.lit("YM"), year, month),
        pl.concat_str(pl.lit("YD"), year, day),
        pl.concat_str(pl.lit("MD"), month, day),
    )


def _in_order(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    ordered = pl.concat_str(pl.min_horizontal(one, other), pl.max_horizontal(one, other), separator="/")
    # The horizontal minimum passes over nulls; a pair with one name missing is no pair.
    return pl.when(one.is_not_null() & other.is_not_null()).then(ordered)


def _either() -> pl.Expr:
    """Both names without saying which is which; a name that is both stands once."""
    forename, surname = pl.col("forename"), pl.col("surname")
    return _several(forename, pl.when(surname.ne_missing(forename)).then(surname))


def _neighbours(many: int) -> pl.Expr:
    """So many neighbouring words of an address, each different run once: most survive one mistyped word."""
    return pl.col("address").map_batches(partial(_runs_of_words, many), return_dtype=pl.List(pl.String))


def _runs_of_words(many: int, addresses: pl.Series) -> pl.Series:
    """All addresses' words in one column, each joined to those after it; the last words of an address have too few."""
    import pyarrow as pa

    words = addresses.str.split(" ")
    count = words.list.len().fill_null(0).to_numpy().astype(np.int64)
    each = words.filter(pl.Series(count > 0)).explode(empty_as_null=False)
    run = pl.select(pl.concat_str([pl.lit(each.shift(-place)) for place in range(many)], separator=" ")).to_series()
    person = np.repeat(np.arange(len(count)), count)
    kept = np.arange(len(each)) + many <= np.repeat(np.cumsum(count), count)
    # Only where a word comes twice can a run.
    doubtful = np.flatnonzero(kept & (words.list.n_unique() < words.list.len()).fill_null(False).to_numpy()[person])
    kept[doubtful] = _first(pl.DataFrame({"person": person[doubtful], "run": run.gather(doubtful)}))
    start = np.concatenate([[0], np.cumsum(np.bincount(person[kept], minlength=len(count)))])
    # (`pa.array` would import pandas.)
    offsets = pa.Array.from_buffers(pa.int64(), len(start), [None, pa.py_buffer(start)])
    return pl.Series(pa.LargeListArray.from_arrays(offsets, run.filter(pl.Series(kept)).to_arrow()))


def _first(rows: pl.DataFrame) -> NDArray[np.bool_]:
    return rows.select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()


_PARTS: dict[str, pl.Expr] = {
    "forename.exact": pl.col("forename"),
    "forename.variant": _words("forename_variants"),
    "forename.near": _deletions(pl.col("forename")),
    "forename.sound": pl.col("forename_sound"),
    "initial.exact": pl.col("forename_initial"),
    # An unlisted name stands for itself: a token that only listed names had would tell which people have one.
    "known.exact": pl.coalesce("forename_known", "forename"),
    "surname.exact": pl.col("surname"),
    "surname.near": _deletions(pl.col("surname")),
    "surname.part": _words("surname_parts"),
    "surname.sound": pl.col("surname_sound"),
    "names.swapped": _in_order(pl.col("forename"), pl.col("surname")),
    "names.either": _either(),
    "dob.exact": pl.col("date_of_birth"),
    "dob.near": _dob_near(),
    "dob.partial": _dob_partial(),
    "dob.year": pl.col("birth_year"),
    "postcode.exact": pl.col("postcode"),
    "postcode.near": _deletions(pl.col("postcode"), 7),
    "postcode.sector": pl.col("postcode_sector"),
    "address.exact": pl.concat_str(pl.col("house_number"), pl.col("street"), separator=" "),
    "address.street": pl.col("street"),
    "address.triple": _neighbours(3),
    "address.pair": _neighbours(2),
    "address.word": _words("address").list.unique(maintain_order=True),
    "gender.exact": pl.col("gender"),
    "nino.exact": pl.col("nino"),
    "nino.near": _deletions(pl.col("nino"), 8),
}
