"""Evidence rows: which rows of which feed show which indicator for which person, as of a date (N2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from linkage.early_help.calendar import Window, age, months_from, months_to
from linkage.early_help.criteria import Criteria, Indicator
from linkage.early_help.issues.attendance import ENROLMENT, attendance_rows, window_of_terms

HITS = pl.Schema(
    {
        "family_ref": pl.String,
        "person_id": pl.String,
        "role": pl.String,
        "issue": pl.String,
        "indicator": pl.String,
        "feed": pl.String,
        "delivery": pl.String,
        "referrer": pl.String,
        "evidence_date": pl.Date,
        "window": pl.String,
        "criteria": pl.String,
    }
)


def find_hits(
    accepted: Mapping[str, pl.DataFrame],
    links: pl.DataFrame,
    members: pl.DataFrame,
    as_of: date,
    criteria: Criteria,
    deliveries: Mapping[str, str],
) -> pl.DataFrame:
    """Every piece of evidence as one row of HITS, sorted, none twice.

    `deliveries` names the delivery that each feed's rows came in (a holding id, or a file's name). Dates are those of
    the event, of the start of an open spell, of the coming release, or of the last day of the term; evidence without a
    date of its own carries the as-of date. A feed that was not supplied gives no rows.
    """
    found = [HITS.to_frame()]
    for issue, part in criteria.issues.items():
        for indicator in part.indicators:
            if indicator.feed in accepted:
                rows = _member_rows(accepted[indicator.feed], indicator, links, members)
                found.append(_hits(rows, indicator, as_of, criteria).with_columns(issue=pl.lit(issue)))
    if "referrals" in accepted:
        rows = _referred(accepted["referrals"], criteria, links, members)
        found.append(_hits(rows, criteria.referrals, as_of, criteria))
    sources = pl.col("feed").replace_strict(dict(deliveries), default=None, return_dtype=pl.String)
    blank = pl.lit(None, pl.String)
    whole = [
        frame.with_columns(delivery=sources, **({} if "referrer" in frame.columns else {"referrer": blank}))
        for frame in found
    ]
    return pl.concat([frame.select(HITS.names()).cast(HITS) for frame in whole]).unique().sort(HITS.names())


def _member_rows(frame: pl.DataFrame, indicator: Indicator, links: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """The feed's rows of people whose evidence counts for `indicator`, with their family and role."""
    linked = links.filter(pl.col("feed") == indicator.feed).select("person_ref", "person_id")
    if indicator.timing.kind == "terms":
        # Two enrolments in one term may agree in every figure; the contract has seen to it that no row comes twice.
        rows = frame.select("person_ref", *dict.fromkeys((*ENROLMENT, *indicator.columns)))
    else:
        rows = frame.select("person_ref", *indicator.columns).unique()
    return rows.join(linked, on="person_ref").join(_who(members, indicator), on="person_id")


def _referred(frame: pl.DataFrame, criteria: Criteria, links: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Referrals, one row per issue named: of the person's families, or of the family the referrer named."""
    indicator = criteria.referrals
    linked = links.filter(pl.col("feed") == indicator.feed).select("person_ref", "person_id")
    blank = pl.lit(None, pl.String)
    named, by = (pl.col(c) if c in frame.columns else blank.alias(c) for c in ("family_ref", "referrer"))
    shown = pl.DataFrame(
        {"said": list(criteria.referred_as), "issue": [list(shown) for shown in criteria.referred_as.values()]},
        schema={"said": pl.String, "issue": pl.List(pl.String)},
    ).explode("issue")
    rows = (
        frame.select("person_ref", by, named.alias("named_family"), pl.col("issues").str.split(";"), *indicator.columns)
        .explode("issues")
        .with_columns(said=pl.col("issues").str.strip_chars())
        .drop("issues")
        .join(shown.drop_nulls(), on="said")
        .drop("said")
        .unique()
        .join(linked, on="person_ref", how="left")
    )
    who = _who(members, indicator)
    families = members.select(named_family="family_ref").unique()
    of_person = rows.join(families, on="named_family", how="anti").join(who, on="person_id")
    # The named family stands; the person referred may be unknown to it, and then counts as its resident.
    of_family = (
        rows.join(families, on="named_family")
        .with_columns(family_ref=pl.col("named_family"))
        .join(who, on=["family_ref", "person_id"], how="left")
        .with_columns(pl.col("role").fill_null("adult"))
    )
    columns = ["family_ref", "person_id", "role", "date_of_birth", "issue", "referrer", *indicator.columns]
    return pl.concat([of_person.select(columns), of_family.select(columns)]).unique()


def _who(members: pl.DataFrame, indicator: Indicator) -> pl.DataFrame:
    return members.filter(pl.col("role").is_in(list(indicator.roles))).select(
        "family_ref", "person_id", "role", "date_of_birth"
    )


def _hits(rows: pl.DataFrame, indicator: Indicator, as_of: date, criteria: Criteria) -> pl.DataFrame:
    for column, codes in indicator.where.items():
        rows = rows.filter(pl.col(column).is_in(list(codes)))
    for column, least in indicator.at_least.items():
        rows = rows.filter(pl.col(column) >= least)
    if indicator.timing.kind == "terms":
        rows = attendance_rows(rows, indicator, as_of, criteria.terms)
        words = window_of_terms(indicator, as_of, criteria)
    else:
        counts, when, words = _timing(indicator, as_of)
        rows = rows.filter(counts).with_columns(evidence_date=when)
    if indicator.ages is not None:
        on = pl.col("evidence_date") if indicator.ages_on == "evidence" else as_of
        rows = rows.filter(age(pl.col("date_of_birth"), on).is_between(*indicator.ages))
    return rows.with_columns(
        indicator=pl.lit(indicator.name),
        feed=pl.lit(indicator.feed),
        window=pl.lit(words),
        criteria=pl.lit(criteria.version),
    )


def _timing(indicator: Indicator, as_of: date) -> tuple[pl.Expr, pl.Expr, str]:
    """Which rows are in time, the date of the evidence, and the window in words."""
    timing = indicator.timing
    if timing.event is not None:
        window = months_to(as_of, timing.months or 0)
        return window.holds(pl.col(timing.event)), pl.col(timing.event), _words(timing.months, as_of)
    if timing.ahead is not None:
        window = months_from(as_of, timing.months or 0)
        begun = pl.col(timing.begun) <= as_of if timing.begun else pl.lit(value=True)
        return window.holds(pl.col(timing.ahead)) & begun, pl.col(timing.ahead), f"{timing.months} months from {as_of}"
    if timing.open is not None and timing.until is not None:
        window = months_to(as_of, timing.months) if timing.months else Window(as_of, as_of)
        ended = pl.col(timing.until)
        running = (pl.col(timing.open) <= window.last) & (ended.is_null() | (ended >= window.first))
        return running, pl.col(timing.open), _words(timing.months, as_of) if timing.months else f"on {as_of}"
    return pl.lit(value=True), pl.lit(as_of), f"on {as_of}"


def _words(months: int | None, as_of: date) -> str:
    return f"{months} months to {as_of}"
