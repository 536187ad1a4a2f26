"""Match rates of groups of people, to see whom linkage misses: linkage bias, told without telling of few people (R2).

Bohensky and others, Data linkage: a powerful research tool with potential problems (2010), on why; the interval is
Wilson's (1927).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from math import sqrt
from typing import Any, Final

import polars as pl

from linkage.errors import Misuse
from linkage.matching.report_rules import ReportRules
from linkage.tokens import rules as tokens

_Z: Final = 1.959964  # 95 %
_GENDERS: Final = {"F": "Female", "M": "Male"}
ALL: Final = "Everybody"


@dataclass(frozen=True)
class Group:
    """People of one band and how many of them were linked; rounded counts, None where few people would show.

    `rate` lies between `low` and `high` (95 %). Where only a bound can be told, `rate` is None; where nothing can, all are.
    """

    dimension: str
    band: str
    people: int | None
    linked: int | None
    rate: float | None
    low: float | None
    high: float | None

    @property
    def hidden(self) -> bool:
        """Whether nothing is told of the group."""
        return self.people is None

    def apart(self, overall: float) -> str:
        """ "lower" or "higher" where the interval leaves the overall rate out, else nothing."""
        if self.low is None or self.high is None or self.low <= overall <= self.high:
            return ""
        return "lower" if self.high < overall else "higher"

    def told(self) -> dict[str, Any]:
        """The group as plain values."""
        return asdict(self)


def bands(left: pl.DataFrame, rules: ReportRules, as_of: date, authority: str | None = None) -> pl.DataFrame:
    """record_id, and one text column per dimension with the band each person is in. Absent columns give no dimension.

    Raises Misuse when there is no column `authority`.
    """
    if "match_key" in left.columns:
        return _by_tokens(left)
    if authority is not None and authority not in left.columns:
        raise Misuse(f"the left file has no column {authority} to report by")
    text = {name: pl.col(name).cast(pl.String).str.strip_chars().str.to_uppercase() for name in left.columns}
    made: list[pl.Expr] = []
    if authority is not None:
        made.append(pl.col(authority).cast(pl.String).fill_null("not given").alias("Authority"))
    if "date_of_birth" in text:
        made.append(_age_band(text["date_of_birth"], rules.ages, as_of).alias("Age"))
    if "gender" in text:
        known = text["gender"].str.head(1).replace_strict(_GENDERS, default=None, return_dtype=pl.String)
        made.append(known.fill_null("Other or not given").alias("Gender"))
    if "surname" in text:
        made.append(_commonness(text["surname"], rules.surname_parts).alias("Surname"))
    for column, name in (("nino", "National Insurance number"), ("postcode", "Postcode")):
        if column in text:
            given = text[column].is_not_null() & (text[column] != "")
            made.append(pl.when(given).then(pl.lit("given")).otherwise(pl.lit("not given")).alias(name))
    return left.select(pl.col("record_id").cast(pl.String), *made)


def _age_band(text: pl.Expr, firsts: tuple[int, ...], as_of: date) -> pl.Expr:
    born = text.str.extract(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})", 1).str.to_date("%Y-%m-%d", strict=False)
    had = (born.dt.month() < as_of.month) | ((born.dt.month() == as_of.month) & (born.dt.day() <= as_of.day))
    age = pl.lit(as_of.year) - born.dt.year() - pl.when(had).then(0).otherwise(1)
    spans = [(firsts[0], f"under {firsts[0]}")]
    spans += [(following, f"{first} to {following - 1}") for first, following in zip(firsts, firsts[1:], strict=False)]
    band = [pl.when(age < before).then(pl.lit(name)) for before, name in spans]
    return pl.coalesce(*band, pl.when(age >= firsts[-1]).then(pl.lit(f"{firsts[-1]} and over")), pl.lit("not given"))


def _commonness(surname: pl.Expr, parts: int) -> pl.Expr:
    """People in equal parts by how many of the file bear their surname; bearers of one name are never parted."""
    given = surname.is_not_null() & (surname != "")
    bearers = pl.when(given).then(pl.len().over(surname))
    # The share of people whose surname is at least as common, from 0 (commonest) to 1.
    place = (bearers.rank("average", descending=True) - 0.5) / bearers.count()
    part = (place * parts).floor().clip(0, parts - 1).cast(pl.Int8)
    names = {0: "commonest", parts - 1: "rarest"}
    labels = {n: f"{names.get(n, f'part {n + 1}' if parts > 3 else 'in between')}" for n in range(parts)}
    return part.replace_strict(labels, default="not given", return_dtype=pl.String)


def _by_tokens(left: pl.DataFrame) -> pl.DataFrame:
    """Of people known by tokens only: which of the identifiers each has, by the match-keys there are tokens for."""
    rules = tokens.load()
    told = left.lazy().select(pl.col("record_id").cast(pl.String), pl.col("match_key").cast(pl.String))
    have = []
    for component, name in (("nino", "National Insurance number"), ("postcode", "Postcode"), ("dob", "Date of birth")):
        keys = [key.name for key in rules.match_keys if any(part.component == component for part in key.parts)]
        given = pl.col("match_key").is_in(keys).any()
        have.append(pl.when(given).then(pl.lit("given")).otherwise(pl.lit("not given")).alias(name))
    return told.group_by("record_id").agg(have).collect()


def counted(bands: pl.DataFrame, linked: pl.Series, rules: ReportRules) -> tuple[Group, ...]:
    """The groups of every dimension, everybody first; counts of few people are hidden and the rest rounded (R2)."""
    marked = bands.with_columns(pl.lit(ALL).alias(ALL), pl.col("record_id").is_in(linked.implode()).alias("_linked"))
    groups: list[Group] = []
    for dimension in (ALL, *(name for name in bands.columns if name != "record_id")):
        if dimension != ALL and marked[dimension].n_unique() == 1:
            continue  # one band is everybody again
        counts = marked.group_by(dimension).agg(pl.len(), pl.col("_linked").sum()).sort(_order(dimension))
        groups.extend(
            _protected(
                [_group(dimension, band, people, linked, rules) for band, people, linked in counts.iter_rows()],
                counts["len"].to_list(),
            )
        )
    return tuple(groups)


def _order(dimension: str) -> pl.Expr:
    """Bands in a reading order: ages by number, common before rare, "not given" last."""
    band = pl.col(dimension)
    early = {"under": 0, "commonest": 1, "in between": 2, "rarest": 3}
    place = pl.coalesce(
        band.str.extract(r"^(\d+)", 1).cast(pl.Int64),
        pl.when(band.str.starts_with("under")).then(0),
        band.replace_strict(early, default=None, return_dtype=pl.Int64),
        pl.when(band == "not given").then(10_000),
        pl.lit(500),
    )
    return place * 1_000 + band.rank("dense").cast(pl.Int64)


def _group(dimension: str, band: str, people: int, linked: int, rules: ReportRules) -> Group:
    if people < rules.fewest:
        return Group(dimension, band, None, None, None, None, None)
    base = rules.rounding_base
    shown, of_them = (base * round(count / base) for count in (people, linked))
    most = rules.fewest / shown
    # Almost none or almost all: a bound only, so that a handful of people cannot be told from nobody.
    if linked < rules.fewest:
        return Group(dimension, band, shown, None, None, 0.0, min(1.0, most))
    if people - linked < rules.fewest:
        return Group(dimension, band, shown, None, None, max(0.0, 1.0 - most), 1.0)
    of_them = min(of_them, shown)
    return Group(dimension, band, shown, of_them, of_them / shown, *_wilson(of_them, shown))


def _protected(groups: list[Group], people: list[int]) -> Iterator[Group]:
    """The groups; where just one is hidden the smallest other is hidden too, or the total would give it away (R3)."""
    hidden = [group.hidden for group in groups]
    if sum(hidden) == 1 and len(groups) > 1:
        _, second = sorted((count, place) for place, count in enumerate(people) if not hidden[place])[0]
        groups[second] = replace(groups[second], people=None, linked=None, rate=None, low=None, high=None)
    yield from groups


def _wilson(linked: int, people: int) -> tuple[float, float]:
    share, z2 = linked / people, _Z**2 / people
    middle, half = share + z2 / 2, _Z * sqrt(share * (1 - share) / people + z2 / people / 4)
    return max(0.0, (middle - half) / (1 + z2)), min(1.0, (middle + half) / (1 + z2))
