"""Which rows are this very person's: strict evidence, so that a twin's or a namesake's row is never taken (S1, S2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final

import polars as pl

from linkage.errors import Misuse
from linkage.identifiers import names
from linkage.identifiers.standardise import RAW, standardise, unusable
from linkage.identifiers.validity import bare

NOBODY: Final = 0
PERHAPS: Final = 1
NAMESAKE: Final = 2
THEIRS: Final = 3
"""Verdicts on a row, weakest first: `PERHAPS` shares too little, `NAMESAKE` name and date of birth and nothing that
settles it, `THEIRS` is the person's. Only `THEIRS` is ever shown, changed or removed."""

_SEXES = ("M", "F")
_NINO_STEM = 8


def subject(told: Sequence[Mapping[str, str | None]]) -> pl.DataFrame:
    """The person as told: one row for each way they have been written, with the columns RAW as text.

    Raises Misuse for an unknown name of an identifier, a value that cannot be read, or too little to find anybody
    without guessing: forename, surname, and a date of birth or a National Insurance number.
    """
    for way in told:
        if unknown := sorted(set(way) - set(RAW)):
            raise Misuse(f"a person is told by {', '.join(RAW)}; {len(unknown)} other names were given")
    frame = pl.DataFrame(
        [{column: (way.get(column) or None) for column in RAW} for way in told],
        schema=dict.fromkeys(RAW, pl.String()),
    )
    standard = standardise(_numbered(frame))
    unread = unusable(frame, standard)
    for column in ("date_of_birth", "nino"):
        if count := unread[column]:
            raise Misuse(f"{column} cannot be read as given in {count} of {frame.height} ways")
    enough = pl.all_horizontal("forename", "surname") & pl.any_horizontal("date_of_birth", "nino")
    known = standard.select(pl.col("forename", "surname", "date_of_birth", "nino").is_not_null())
    if not known.select(enough.any()).item():
        raise Misuse(
            "to find a person without guessing: forename, surname, and date of birth or National Insurance number"
        )
    return frame


def ways_written(rows: pl.DataFrame) -> pl.DataFrame:
    """The different ways in which these rows write a person: RAW as text."""
    return rows.select(
        (pl.col(column) if column in rows.columns else pl.lit(None)).cast(pl.String).alias(column) for column in RAW
    ).unique(maintain_order=True)


def judge(
    rows: pl.DataFrame,
    person: pl.DataFrame,
    rivals: pl.DataFrame | None = None,
    linked: pl.Series | None = None,
) -> pl.Series:
    """A verdict for each row (Int8: NOBODY, PERHAPS, NAMESAKE, THEIRS).

    `rows` has any of RAW, text or dates; `person` comes from `subject` or `ways_written`. `rivals` are other people
    of the case record: a row that is as well one of theirs is nobody's. `linked` marks rows that the project's own
    matching gave to this person: it settles a namesake, since that matching saw everybody else too.

    THEIRS needs the forename, and with it: the same National Insurance number and surname or date of birth; or
    surname, date of birth and place; or date of birth and the very house (a married name). Two different valid numbers
    or sexes are two people, and so are two different second forenames.
    """
    told, *others = _verdicts(rows, [person] if rivals is None else [person, rivals])
    if linked is not None:
        named = (told == NAMESAKE) & linked
        told = told.zip_with(~named, pl.Series([THEIRS], dtype=pl.Int8))
        told = told.zip_with(~(linked & (told == NOBODY)), pl.Series([PERHAPS], dtype=pl.Int8))
    for theirs in others:
        doubted = (told == THEIRS) & (theirs == THEIRS)
        told = told.zip_with(~doubted, pl.Series([PERHAPS], dtype=pl.Int8))
    return told.alias("verdict")


def mentions(texts: pl.Series, person: pl.DataFrame, references: Sequence[str] = ()) -> pl.Series:
    """Which texts, whose columns could not be told, are a record of this person (Boolean, null counts as not).

    A text must hold, as whole words, forename and surname and the date of birth (as written in Britain or by ISO
    8601), or forename and National Insurance number, or one of the partner's `references` and the date of birth.
    """
    text = names.fold(pl.col("text").str.replace_all(r"<[^>]*>", " ")).str.replace_all(r"['’‘`´ʼ.]", "")
    solid = text.str.replace_all(r"[\s\-]+", "")
    dates = names.fold(pl.col("text"))
    wanted = [pl.lit(value=False)]
    written = person.select(names.words(names.fold(pl.col(column))) for column in ("forename", "surname"))
    for way, name in zip(standardise(_numbered(person)).to_dicts(), written.to_dicts(), strict=True):
        first = _words(text, (name["forename"] or "").split()[:1])
        last = _words(text, (name["surname"] or "").split())
        born = _born(dates, way["date_of_birth"])
        nino = pl.lit(value=False) if way["nino"] is None else solid.str.contains(way["nino"], literal=True)
        wanted += [first & last & born, first & nino]
        wanted += [_words(text, [reference.upper().replace(".", "")]) & born for reference in references]
    found = pl.DataFrame({"text": texts.cast(pl.String)}).select(pl.any_horizontal(wanted).fill_null(value=False))
    return found.to_series().alias("mentions")


def _verdicts(rows: pl.DataFrame, people: Sequence[pl.DataFrame]) -> list[pl.Series]:
    """A verdict on each row for each of these people. All are standardised at once: a call costs more than its rows."""
    numbered = _numbered(ways_written_in_order(rows))
    near = [numbered.filter(_could_be(one)) for one in people]
    if all(one.is_empty() for one in near):
        return [pl.Series("verdict", [NOBODY], dtype=pl.Int8).new_from_index(0, rows.height)] * len(people)
    sides = [*near, *people]
    standard = _with_second_name(_numbered(pl.concat(side.select(RAW) for side in sides)))
    ends = list(accumulate(side.height for side in sides))
    parts = [standard.slice(end - side.height, side.height) for end, side in zip(ends, sides, strict=True)]
    found = []
    for mine, one, told in zip(near, parts, parts[len(near) :], strict=False):
        pairs = one.with_columns(mine["record_id"]).join(told, how="cross", suffix="_told")
        best = pairs.select("record_id", _verdict().alias("verdict")).group_by("record_id").agg(pl.col("verdict").max())
        verdicts = numbered.select("record_id").join(best, on="record_id", how="left", maintain_order="left")
        found.append(verdicts["verdict"].fill_null(NOBODY).cast(pl.Int8))
    return found


def ways_written_in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """As `ways_written`, but a row for each row."""
    return rows.select(
        (pl.col(column) if column in rows.columns else pl.lit(None)).cast(pl.String).alias(column) for column in RAW
    )


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.drop("record_id", strict=False).with_row_index("record_id").cast({"record_id": pl.String})


def _could_be(person: pl.DataFrame) -> pl.Expr:
    """Rows that share date of birth or number: whoever shares neither is never judged the person's."""
    born = person["date_of_birth"].drop_nulls().str.strip_chars().to_list()
    ninos = person.select(bare(pl.col("nino")).str.head(_NINO_STEM)).to_series().drop_nulls().to_list()
    same_day = pl.col("date_of_birth").str.strip_chars().is_in(born)
    same_number = bare(pl.col("nino")).str.head(_NINO_STEM).is_in(ninos)
    return same_day.fill_null(value=False) | same_number.fill_null(value=False)


def _with_second_name(frame: pl.DataFrame) -> pl.DataFrame:
    second = names.words(names.fold(pl.col("forename"))).str.extract(r"^[A-Z]{2,} ([A-Z]{2,})\b", 1)
    given = frame.select("record_id", second.alias("second"))
    return standardise(frame).join(given, on="record_id", maintain_order="left")


def _verdict() -> pl.Expr:
    same = _same
    first = (_overlap("forename_variants") | (same("forename_sound") & ~_both_known())) & ~_differ("second")
    last = same("surname") | _overlap("surname_parts") | same("surname_sound")
    swapped = (pl.col("forename") == pl.col("surname_told")) & (pl.col("surname") == pl.col("forename_told"))
    name = (first & last) | swapped.fill_null(value=False)
    born, number = same("date_of_birth"), same("nino")
    house = same("postcode") & same("house_number")
    place = same("postcode") | (same("house_number") & same("street"))
    two_people = _differ("nino") | _differ("gender", _SEXES)
    theirs = (number & (name | (first & born))) | (~two_people & born & ((name & place) | (first & house)))
    named = ~two_people & born & name
    perhaps = number | (born & ~two_people & first & same("postcode"))
    return (
        pl.when(theirs)
        .then(THEIRS)
        .when(named)
        .then(NAMESAKE)
        .when(perhaps)
        .then(PERHAPS)
        .otherwise(NOBODY)
        .cast(pl.Int8)
    )


def _same(column: str) -> pl.Expr:
    return (pl.col(column) == pl.col(f"{column}_told")).fill_null(value=False)


def _differ(column: str, among: Sequence[str] | None = None) -> pl.Expr:
    one, other = pl.col(column), pl.col(f"{column}_told")
    told = one != other
    if among is not None:
        told = told & one.is_in(among) & other.is_in(among)
    return told.fill_null(value=False)


def _overlap(column: str) -> pl.Expr:
    one, other = pl.col(column).str.split(" "), pl.col(f"{column}_told").str.split(" ")
    return (one.list.set_intersection(other).list.len() > 0).fill_null(value=False)


def _both_known() -> pl.Expr:
    """Two forenames of the kept list that differ are two names, however alike they sound."""
    known = pl.col("forename_known").is_not_null() & pl.col("forename_known_told").is_not_null()
    return known & (pl.col("forename") != pl.col("forename_told")).fill_null(value=True)


def _words(text: pl.Expr, words: Sequence[str]) -> pl.Expr:
    """Whether a text has these words one after the other, whole, a hyphen or space between them or nothing."""
    if not words:
        return pl.lit(value=False)
    run = r"[\s\-]?".join(re.escape(word) for word in words)
    return text.str.contains(rf"(?:^|[^A-Z0-9]){run}(?:$|[^A-Z0-9])")


def _born(text: pl.Expr, day: str | None) -> pl.Expr:
    if day is None:
        return pl.lit(value=False)
    year, month, date = day.split("-")
    return text.str.contains(rf"\b(?:{day}|0?{int(date)}[/.-]0?{int(month)}[/.-]{year})\b")
