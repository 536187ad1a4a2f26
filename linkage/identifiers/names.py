"""Names: folding, titles, nicknames from a kept list, and a phonetic code; rules in docs/canonicalisation.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import polars as pl

LONGEST = 500  # characters of any field that are read: nobody's name or address is longer, and work stays bounded

# Letters that Unicode's compatibility decomposition leaves whole.
_LETTERS = {
    "Æ": "AE",
    "Œ": "OE",
    "Ø": "O",
    "Đ": "D",
    "Ð": "D",
    "Þ": "TH",
    "Ł": "L",
    "Ħ": "H",
    "ẞ": "SS",
    "ß": "SS",
    "ı": "I",
    "İ": "I",
}
_TITLES = r"^(?:(?:MR|MRS|MS|MISS|MX|DR|REV|SIR|DAME|LADY|LORD|PROF|PROFESSOR|MASTER)\b\.?\s*)+(?P<rest>\p{L}.*)$"
_SUFFIXES = r"[\s,]+(?:JNR|JR|SNR|SR|JUNIOR|SENIOR|II|III|ESQ|OBE|MBE|CBE)\.?$"
_PLACEHOLDERS = (
    r"^(?:UNKNOWN|NOTKNOWN|NOTKNOWNYET|NK|NA|NONE|NULL|NOTGIVEN|NOTSTATED|NOTSUPPLIED|UNNAMED|UNBORN|TBC|"
    r"BABY|BABYBOY|BABYGIRL|INFANT|TEST|XX+)$"
)
_PARTICLES = r"^(?:VAN|DER|DEN|DELA|DES|DOS|DAS|DEL|BIN|BINTE|BINT|IBN|VON|TER|TEN|SAN|SANTA|MAC|FITZ|ABU|ABD|ABDUL)$"


def fold(text: pl.Expr) -> pl.Expr:
    """Text in plain capitals: compatibility decomposition, accents and invisible marks dropped, spaces single.

    Empty becomes null; what is longer than LONGEST characters is cut there.
    """
    plain = (
        text.cast(pl.String)
        .str.head(LONGEST)
        .str.normalize("NFKD")
        .str.replace_all(r"[\p{M}\p{Cf}\p{Lm}]+", "")
        .str.to_uppercase()
        .str.replace_many(list(_LETTERS), list(_LETTERS.values()))
    )
    return _spaced(plain)


def folded(texts: pl.Series) -> pl.Series:
    """`fold` of a text column, quicker where it is plain ASCII, which needs nothing but capitals and single spaces."""
    plain = texts.str.head(LONGEST).str.to_uppercase().str.strip_chars(" ")
    odd = (texts.str.len_bytes() != texts.str.len_chars()) | plain.str.contains(r"\s\s|[^\S ]") | (plain == "")
    return changed(plain, odd, lambda rows: pl.select(fold(pl.lit(texts.gather(rows)))).to_series())


def changed(texts: pl.Series, where: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """`texts` with those rows replaced for which `where` holds, by what `change` makes of their numbers.

    Most texts need most repairs never: to look for what a repair is about costs a tenth of the repair.
    """
    rows = where.arg_true()
    return texts.scatter(rows, change(rows)) if len(rows) else texts


def repaired(texts: pl.Series, sign: str, repair: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """`repair` of the texts in which the pattern `sign` is found."""
    return changed(
        texts, texts.str.contains(sign), lambda rows: pl.select(repair(pl.lit(texts.gather(rows)))).to_series()
    )


def _spaced(text: pl.Expr) -> pl.Expr:
    single = text.str.replace_all(r"\s+", " ").str.strip_chars()
    return pl.when(single != "").then(single)


def words(text: pl.Expr) -> pl.Expr:
    """A folded name's words: apostrophes and full stops join, hyphens and the rest part; titles dropped.

    Letters of every script are letters: a name in Arabic or Cyrillic is compared as it is written.
    """
    apart = (
        text.str.replace(_TITLES, "${rest}")
        .str.replace(_SUFFIXES, "")
        .str.replace_all(r"['’‘`´ʼ.]", "")
        .str.replace_all(r"\P{L}+", " ")
        .str.strip_chars()
    )
    known = ~apart.str.replace_all(" ", "").str.contains(_PLACEHOLDERS)
    return pl.when((apart != "") & known).then(apart)


def compact(text: pl.Expr) -> pl.Expr:
    """The words run together, so that a stray space or a hyphen makes no difference."""
    return text.str.replace_all(" ", "")


def first(text: pl.Expr) -> pl.Expr:
    """The first word that is more than an initial, otherwise null."""
    return text.str.extract(r"\b(\p{L}{2,})\b", 1)


def parts(text: pl.Expr) -> pl.Expr:
    """A surname's parts of three letters or more, particles aside, space-separated: both halves of a double barrel."""
    kept = pl.element().filter((pl.element().str.len_chars() >= 3) & ~pl.element().str.contains(_PARTICLES))
    found = text.str.split(" ").list.eval(kept).list.unique(maintain_order=True).list.join(" ")
    return pl.when(found != "").then(found)


@lru_cache(maxsize=1)
def forenames() -> dict[str, str]:
    """Each kept forename and the names it may stand for, space-separated (linkage/identifiers/forenames.csv)."""
    kept = pl.read_csv(Path(__file__).with_name("forenames.csv"))
    return dict(kept.select("name", "canonical").iter_rows())


def variants(name: pl.Expr) -> pl.Expr:
    """The full names that a forename may stand for, space-separated; a name outside the list stands for itself."""
    return name.replace(forenames())


def known(name: pl.Expr) -> pl.Expr:
    """`KNOWN` for a forename in the kept list, otherwise null: a typing error rarely makes another known name."""
    return pl.when(name.is_in(list(forenames()))).then(pl.lit("KNOWN"))


def sounds(names: pl.Series) -> pl.Series:
    """Phonetic codes of compact names: a name's first vowel and its consonants by how English speakers say them.

    Longer than Soundex (nothing is cut off) and, unlike it, keeps the first vowel, so that JANE, JUNE and JEAN differ.
    """
    codes = [_said_as_one(names.slice(at, _NAMES_AT_ONCE)) for at in range(0, len(names), _NAMES_AT_ONCE)]
    return pl.concat(codes) if codes else names


def _said_as_one(names: pl.Series) -> pl.Series:
    """Codes of names written below one another as one text: a pattern costs more to begin than to go on with."""
    code = pl.lit(names.fill_null("").str.join("\n"))
    for pattern, said in _SAID:
        code = code.str.replace_all(f"(?m){pattern}", said)
    # The first vowel stays in its place; later ones go, and only then are doubled consonants made single.
    for vowel, mark in _FIRST_VOWELS.items():
        code = code.str.replace_all(rf"(?m)^([^AEIOU1-5\n]*){vowel}[AEIOU]*", f"${{1}}{mark}")
    code = code.str.replace_all("[AEIOU]+", "")
    for consonant in "BDFJKLMNPRSTXVZ":
        code = code.str.replace_all(f"{consonant}{{2,}}", consonant)
    code = code.str.replace_many(list(_FIRST_VOWELS.values()), list(_FIRST_VOWELS))
    return pl.select(code.str.split("\n").explode(empty_as_null=False).replace("", None)).to_series().alias(names.name)


_NAMES_AT_ONCE = 100_000
_FIRST_VOWELS = {"A": "1", "E": "2", "I": "3", "O": "4", "U": "5"}
_SAID = (
    (r"^MC|^MAC", "MK"),
    (r"^KN|^GN|^PN", "N"),
    (r"^WR", "R"),
    (r"^PS|^X", "S"),
    (r"^WH", "W"),
    (r"SCH", "SK"),
    (r"TCH|CH", "X"),
    (r"SH", "X"),
    (r"PH", "F"),
    (r"TH", "T"),
    (r"OUGH|AUGH", "O"),
    (r"IGHT", "IT"),
    (r"GH", "G"),
    (r"CK|Q", "K"),
    (r"C([EIY])", "S${1}"),
    (r"C", "K"),
    (r"DG([EIY])", "J${1}"),
    (r"G([EIY])", "J${1}"),
    (r"G", "K"),
    (r"V", "F"),
    (r"Z", "S"),
    (r"^Y([AEIOU])", "J${1}"),
    (r"[YI]E?", "I"),
    (r"E[AEI]", "E"),
    (r"O[OU]", "O"),
    (r"A[EIU]", "A"),
    (r"\B[HW]", ""),
)
