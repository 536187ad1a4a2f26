"""Addresses and postcodes: house number, flat, street and words (BS 7666 shapes); rules in docs/canonicalisation.md."""

from __future__ import annotations

import polars as pl

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
_FULL_TYPES = "|".join(sorted(set(_TYPES.values()))) + (
    "|WAY|WALK|MEWS|HILL|RISE|ROW|VIEW|GREEN|PARADE|CIRCUIT|CIRCLE|WHARF|QUAY|BOULEVARD|PATH|LOOP|ALLEY"
)
_NO_ADDRESS = r"^(?:NFA|NOFIXEDABODE|NOFIXEDADDRESS|UNKNOWN|NOTKNOWN|NOTGIVEN|NA|NONE)$"
_FLAT = r"\b(?:FLAT|APARTMENT|APT|UNIT|ROOM|STUDIO|VILLA|FLT)\s+([0-9]+[A-Z]?|[A-Z])\b"


def address_words(folded: pl.Series) -> pl.Series:
    """An address in words: punctuation gone, usual abbreviations written out; no fixed abode becomes null."""
    text = pl.col("address")
    told = folded.alias("address").to_frame()
    # Step by step: in one expression the engine would work out every step once for each use of the result.
    for step in (
        text.str.replace_all(r"['’‘`´ʼ.]", ""),
        text.str.replace_all(r"\b([0-9]+)\s*[-/]\s*([0-9]+)\b", "${1}"),
        text.str.replace_all(r"[^\p{L}0-9]+", " ").str.strip_chars(),
        # ST opens a saint's name, except straight after a word, where a street ends with it.
        text.str.replace_all(r"\b([A-Z]{2,}) ST($| )", "${1} STREET${2}"),
        # Every word between spaces of its own, so that neighbours do not share one and each can be written out.
        pl.concat_str(pl.lit(" "), text.str.replace_all(" ", "  ", literal=True), pl.lit(" ")),
        text.str.replace_many([f" {short} " for short in _TYPES], [f" {full} " for full in _TYPES.values()]),
        text.str.replace_all("  ", " ", literal=True).str.strip_chars(" "),
    ):
        told = told.select(step.alias("address"))
    nowhere = text.str.replace_all(" ", "", literal=True).str.contains(_NO_ADDRESS)
    return told.select(pl.when((text != "") & ~nowhere).then(text).alias("address")).to_series()


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

    Of words without a flat.
    """
    return words.str.extract(rf"(?:^|[0-9][A-Z]?\b\s*)([A-Z][A-Z ]*?\b(?:{_FULL_TYPES}))\b", 1)


def postcode(text: pl.Expr) -> pl.Expr:
    """The postcode without its space when its shape is valid, otherwise null; ZZ99 says where nobody lives, so null."""
    code = bare(text)
    return pl.when(valid_postcode(code) & ~code.str.starts_with("ZZ99")).then(code)


def sector(code: pl.Expr) -> pl.Expr:
    """The postcode without its last two letters: the sector, some thousands of addresses."""
    return pl.when(~code.str.starts_with("BFPO")).then(code.str.head(-2))
