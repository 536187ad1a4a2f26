"""Whether an identifier could be real: one Polars expression each, text in, Boolean out (null for null)."""

from __future__ import annotations

import polars as pl

# HMRC, NIM39110: letters that never occur, prefixes never allocated, prefixes used for administration only.
_NINO_SHAPE = r"^[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z][0-9]{6}[ABCD]?$"
_NINO_PREFIXES_NEVER_ISSUED = ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ", "OO", "CR", "FY", "MW", "NC")

# BS 7666 shapes; the outward code's letters per position as in the Post Office's address file guide.
_POSTCODE_SHAPE = (
    r"^(?:GIR0AA"
    r"|BFPO[0-9]{1,4}"
    r"|ZZ99[0-9][A-Z]{2}"
    r"|(?:[A-PR-UWYZ][0-9]"
    r"|[A-PR-UWYZ][0-9][0-9ABCDEFGHJKPSTUW]"
    r"|[A-PR-UWYZ][A-HK-Y][0-9]"
    r"|[A-PR-UWYZ][A-HK-Y][0-9][0-9ABEHMNPRVWXY])"
    r"[0-9][ABD-HJLNP-UW-Z]{2})$"
)

# The Department for Education's check letters: the alphabet without I, O and S, so 23 letters.
_UPN_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
_UPN_SHAPE = r"^[A-HJ-NP-RT-Z][0-9]{11}[0-9A-HJ-NP-RT-Z]$"


def bare(expr: pl.Expr) -> pl.Expr:
    """The text in capitals without white space or hyphens, as an identifier is compared. Null stays null."""
    return expr.cast(pl.String).str.to_uppercase().str.replace_all(r"[\s\-\x{00A0}]+", "")


def valid_nino(expr: pl.Expr) -> pl.Expr:
    """Whether a National Insurance number could have been issued: Boolean, null for null.

    Two letters (D F I Q U V never, O never second), six digits, suffix A to D or blank; never-issued and
    administrative prefixes (HMRC NIM39110) and temporary numbers (TN..., or digits first) are not NINOs.
    """
    return issued_nino(bare(expr))


def issued_nino(text: pl.Expr) -> pl.Expr:
    """`valid_nino` of text that is bare already."""
    return text.str.contains(_NINO_SHAPE) & ~text.str.slice(0, 2).is_in(_NINO_PREFIXES_NEVER_ISSUED)


def valid_postcode(expr: pl.Expr) -> pl.Expr:
    """Whether a postcode has a BS 7666 shape: Boolean, null for null. Space and case do not matter.

    GIR 0AA, the ZZ99 pseudo-postcodes (no fixed abode and the like) and BFPO numbers are not errors.
    """
    return bare(expr).str.contains(_POSTCODE_SHAPE)


def valid_nhs_number(expr: pl.Expr) -> pl.Expr:
    """Whether a ten-digit NHS number passes modulus 11 and is not one digit repeated: Boolean, null for null.

    NHS Data Dictionary, NHS NUMBER. Repeated digits are refused because 0000000000 passes the arithmetic.
    """
    text = bare(expr)
    shape = text.str.contains(r"^[0-9]{10}$")
    weighted = pl.sum_horizontal(_digit(text, place) * (10 - place) for place in range(9))
    # 11 minus the remainder must equal the check digit, where 11 counts as 0 and 10 is never issued:
    # the same as the whole weighted sum, check digit included, being a multiple of 11.
    checked = (weighted + _digit(text, 9)) % 11 == 0
    repeated = text.is_in([str(digit) * 10 for digit in range(10)])
    return pl.when(text.is_not_null()).then(shape & checked & ~repeated)


def valid_upn(expr: pl.Expr) -> pl.Expr:
    """Whether a unique pupil number's check letter is right: Boolean, null for null.

    Department for Education, UPN guide: a check letter, then twelve characters of which the last may be a
    letter (a temporary number); weights 2 to 13, remainder of 23. The authority code is not judged, as its
    published list dates from 2011.
    """
    text = bare(expr)
    shape = text.str.contains(_UPN_SHAPE)
    # Eleven digits at once as a number: cutting twelve characters out of every text takes ten times as long.
    digits = text.str.slice(1, 11).cast(pl.Int64, strict=False)
    total = pl.sum_horizontal((digits // 10 ** (11 - place)) % 10 * (place + 1) for place in range(1, 12))
    total = total + _letter_or_digit(text, 12) * 13
    expected = (total % 23).replace_strict(dict(enumerate(_UPN_LETTERS)), default=None, return_dtype=pl.String)
    return pl.when(text.is_not_null()).then(shape & (text.str.slice(0, 1) == expected).fill_null(False))


def _digit(text: pl.Expr, place: int) -> pl.Expr:
    return text.str.slice(place, 1).cast(pl.Int32, strict=False)


def _letter_or_digit(text: pl.Expr, place: int) -> pl.Expr:
    """The digit's value, or for the temporary number's letter its position in the check alphabet."""
    character = text.str.slice(place, 1)
    values = {letter: value for value, letter in enumerate(_UPN_LETTERS)} | {str(d): d for d in range(10)}
    return character.replace_strict(values, default=None, return_dtype=pl.Int32)
