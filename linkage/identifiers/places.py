"""Addresses and postcodes: house number, flat, street and words (BS 7666 shapes); rules in docs/canonicalisation.md."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from linkage.identifiers import names
from linkage.identifiers.validity import bare, valid_postcode

_TYPES = {
    "RD": "ROAD",
    "STR": "STREET",
    "AVE": "AVENUE",
    "AV": "AVENUE",
    "LN": "LANE",
    "CL": "CLOSE",
    "CRES": "CRESCENT",
    "CR": "CRESCENT",
    "CRT": "COURT",
    "CT": "COURT",
    "DR": "DRIVE",
    "GDNS": "GARDENS",
    "GDN": "GARDEN",
    "GR": "GROVE",
    "PL": "PLACE",
    "SQ": "SQUARE",
    "TER": "TERRACE",
    "TCE": "TERRACE",
    "HSE": "HOUSE",
    "EST": "ESTATE",
    "PK": "PARK",
}
_SHORT_TYPES = "|".join(_TYPES)
_FULL_TYPES = "|".join(sorted(set(_TYPES.values()))) + (
    "|WAY|WALK|MEWS|HILL|RISE|ROW|VIEW|GREEN|PARADE|CIRCUIT|CIRCLE|WHARF|QUAY|BOULEVARD|PATH|LOOP|ALLEY"
)
_NO_ADDRESS = r"^(?:NFA|NOFIXEDABODE|NOFIXEDADDRESS|UNKNOWN|NOTKNOWN|NOTGIVEN|NA|NONE)$"
_FLAT = r"\b(?:FLAT|APARTMENT|APT|UNIT|ROOM|STUDIO|VILLA|FLT)\s+([0-9]+[A-Z]?|[A-Z])\b"


def address_words(folded: pl.Series) -> pl.Series:
    """An address in words: punctuation gone, usual abbreviations written out; no fixed abode becomes null."""
    told = folded.alias("address")
    for sign, repair in _RUN_TOGETHER:
        told = names.repaired(told, sign, repair)
    # The usual punctuation needs no pattern.
    told = told.str.replace_all(", ", " ", literal=True)
    for sign, repair in _WORDS:
        told = names.repaired(told, sign, repair)
    # Nowhere has no number.
    nowhere = told.str.contains(r"[0-9]").not_()
    return names.changed(told, nowhere, lambda rows: pl.select(_somewhere(pl.lit(told.gather(rows)))).to_series())


def _somewhere(words: pl.Expr) -> pl.Expr:
    nowhere = words.str.replace_all(" ", "", literal=True).str.contains(_NO_ADDRESS)
    return pl.when((words != "") & ~nowhere).then(words)


def _written_out(words: pl.Expr) -> pl.Expr:
    # Every word between spaces of its own, so that neighbours do not share one and each can be written out.
    apart = pl.concat_str(pl.lit(" "), words.str.replace_all(" ", "  ", literal=True), pl.lit(" "))
    full = apart.str.replace_many([f" {short} " for short in _TYPES], [f" {full} " for full in _TYPES.values()])
    return full.str.replace_all("  ", " ", literal=True).str.strip_chars(" ")


# In this order: what shows that a repair is needed, and the repair.
_Repairs = tuple[tuple[str, Callable[[pl.Expr], pl.Expr]], ...]
_RUN_TOGETHER: _Repairs = (
    (r"['’‘`´ʼ.]", lambda text: text.str.replace_all(r"['’‘`´ʼ.]", "")),
    (r"[-/]", lambda text: text.str.replace_all(r"\b([0-9]+)\s*[-/]\s*([0-9]+)\b", "${1}")),
)
_WORDS: _Repairs = (
    (r"[^A-Z0-9 ]|  |^ | $", lambda text: text.str.replace_all(r"[^\p{L}0-9]+", " ").str.strip_chars()),
    # ST opens a saint's name, except straight after a word, where a street ends with it.
    (r" ST(?: |$)", lambda text: text.str.replace_all(r"\b([A-Z]{2,}) ST($| )", "${1} STREET${2}")),
    (rf"(?:^| )(?:{_SHORT_TYPES})(?: |$)", _written_out),
)


def flat(words: pl.Expr) -> pl.Expr:
    """The flat's number or letter, where one is named."""
    return words.str.extract(_FLAT, 1)


def without_flat(words: pl.Expr) -> pl.Expr:
    """The words with the first flat named taken out."""
    return words.str.replace(_FLAT, " ")


def house_number(words: pl.Expr) -> pl.Expr:
    """The first number of words without a flat."""
    return words.str.extract(r"\b([0-9]+[A-Z]?)\b", 1)


def street(words: pl.Expr) -> pl.Expr:
    """The street's words up to and with its type (ROAD, CLOSE, ...), after any number; null when no type is named.

    Of words without a flat, between which there are only spaces.
    """
    return words.str.extract(rf"(?:^|[0-9][A-Z]? +)([A-Z][A-Z ]*? (?:{_FULL_TYPES}))(?: |$)", 1)


def postcode(text: pl.Expr) -> pl.Expr:
    """The postcode without its space when its shape is valid, otherwise null; ZZ99 says where nobody lives, so null."""
    code = bare(text)
    return pl.when(valid_postcode(code) & ~code.str.starts_with("ZZ99")).then(code)


def sector(code: pl.Expr) -> pl.Expr:
    """The postcode without its last two letters: the sector, some thousands of addresses."""
    return pl.when(~code.str.starts_with("BFPO")).then(code.str.head(-2))
