"""The parts of match-keys: for each, the texts a person has for it, as an expression over the standard columns."""

from __future__ import annotations

import polars as pl

_LONGEST = 16  # characters of a name whose deletion is tried: names that agree on sixteen are told apart elsewhere
_SHORTEST = 4  # below this, one character more or less makes another name (TIA, MIA)


def texts(part: str) -> pl.Expr:
    """A part's texts per person: text, or a list of texts where a person has several; null where it is missing.

    Raises KeyError for a part nobody defined.
    """
    return _PARTS[part]


def _words(column: str) -> pl.Expr:
    return pl.col(column).str.split(" ")


def _shortened(text: pl.Expr) -> list[pl.Expr]:
    """The text and every text one deletion away. Two texts sharing one of these differ by one edit or transposition.

    Bocek, Hunt and Stiller, Fast similarity search in large dictionaries (2007).
    """
    length = text.str.len_chars()
    shorter = [
        pl.when((length >= _SHORTEST) & (length > place)).then(
            text.str.slice(0, place) + text.str.slice(place + 1, _LONGEST * 4)
        )
        for place in range(_LONGEST)
    ]
    return [text, *shorter]


def _deletions(text: pl.Expr) -> pl.Expr:
    return pl.concat_list(_shortened(text)).list.drop_nulls().list.unique()


def _masked(text: pl.Expr, places: tuple[int, ...]) -> pl.Expr:
    """The text with one character at a time left open."""
    return pl.concat_list(text.str.slice(0, place) + "?" + text.str.slice(place + 1, 10) for place in places)


def _dob_near() -> pl.Expr:
    """The date with one digit open, and with day and month in one order.

    The decade stays closed: one digit there is a generation, and a father and son may share the rest.
    """
    date, month, day = pl.col("date_of_birth"), pl.col("birth_month"), pl.col("birth_day")
    either_way = pl.concat_str(
        pl.col("birth_year"), pl.min_horizontal(month, day), pl.max_horizontal(month, day), separator="/"
    )
    return pl.concat_list(_masked(date, (3, 5, 6, 8, 9)), pl.when(date.is_not_null()).then(either_way))


def _dob_partial() -> pl.Expr:
    year, month, day = pl.col("birth_year"), pl.col("birth_month"), pl.col("birth_day")
    return pl.concat_list(
        pl.concat_str(pl.lit("YM"), year, month),
        pl.concat_str(pl.lit("YD"), year, day),
        pl.concat_str(pl.lit("MD"), month, day),
    ).list.drop_nulls()


def _in_order(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    ordered = pl.concat_str(pl.min_horizontal(one, other), pl.max_horizontal(one, other), separator="/")
    # The horizontal minimum passes over nulls; a pair with one name missing is no pair.
    return pl.when(one.is_not_null() & other.is_not_null()).then(ordered)


def _swapped_near() -> pl.Expr:
    """One name whole and the other with a deletion, without saying which is the forename."""
    forename, surname = pl.col("forename"), pl.col("surname")
    either = [forename + "/" + text for text in _shortened(surname)] + [
        surname + "/" + text for text in _shortened(forename)
    ]
    return pl.concat_list(either).list.drop_nulls().list.unique()


def _pairs() -> pl.Expr:
    """Neighbouring words of an address: most survive one mistyped word."""
    return _words("address").list.eval((pl.element() + " " + pl.element().shift(-1)).drop_nulls())


_PARTS: dict[str, pl.Expr] = {
    "forename.exact": pl.col("forename"),
    "forename.variant": _words("forename_variants"),
    "forename.near": _deletions(pl.col("forename")),
    "forename.sound": pl.col("forename_sound"),
    "initial.exact": pl.col("forename_initial"),
    "known.exact": pl.col("forename_known"),
    "surname.exact": pl.col("surname"),
    "surname.near": _deletions(pl.col("surname")),
    "surname.part": _words("surname_parts"),
    "surname.sound": pl.col("surname_sound"),
    "names.swapped": _in_order(pl.col("forename"), pl.col("surname")),
    "names.swapped_near": _swapped_near(),
    "dob.exact": pl.col("date_of_birth"),
    "dob.near": _dob_near(),
    "dob.partial": _dob_partial(),
    "dob.year": pl.col("birth_year"),
    "postcode.exact": pl.col("postcode"),
    "postcode.near": _deletions(pl.col("postcode")),
    "postcode.sector": pl.col("postcode_sector"),
    "address.exact": pl.concat_str(pl.col("house_number"), pl.col("street"), separator=" "),
    "address.street": pl.col("street"),
    "address.pair": _pairs(),
    "gender.exact": pl.col("gender"),
    "nino.exact": pl.col("nino"),
    "nino.near": _deletions(pl.col("nino")),
}
