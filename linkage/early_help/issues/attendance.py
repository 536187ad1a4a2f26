"""School attendance over a pupil's last three terms: enrolments added up before dividing (N2)."""

from __future__ import annotations

from datetime import date

import polars as pl

from linkage.early_help.calendar import last_completed_term, term_last_day, term_name, term_number
from linkage.early_help.criteria import Criteria, Indicator, Terms

ENROLMENT = ("term", "sessions_possible", "sessions_authorised", "sessions_unauthorised")
"""What of an enrolment row the attendance indicators read, besides their own columns."""
_PUPIL = ["family_ref", "person_id", "role"]


def attendance_rows(rows: pl.DataFrame, indicator: Indicator, as_of: date, terms: Terms) -> pl.DataFrame:
    """One row per pupil (and family) who meets `indicator`, with evidence_date: the last day of the latest term seen.

    `rows` are enrolment rows of members: their sessions and the indicator's columns. A share is compared in whole
    numbers, so that exactly a tenth is a tenth.
    """
    recent = in_last_terms(rows, indicator.timing.terms or 0, as_of, terms)
    sums = recent.group_by(*_PUPIL, "date_of_birth").agg(
        pl.col("number").max(),
        *(pl.col(column).sum().alias(f"total_{column}") for column in indicator.total),
        missed=(pl.col("sessions_authorised").fill_null(0) + pl.col("sessions_unauthorised").fill_null(0)).sum(),
        possible=pl.col("sessions_possible").sum(),
    )
    if indicator.share_missed_percent is not None:
        enough = pl.col("missed") * 100 >= pl.col("possible") * indicator.share_missed_percent
        sums = sums.filter((pl.col("possible") > 0) & enough)
    for column, least in indicator.total.items():
        sums = sums.filter(pl.col(f"total_{column}") >= least)
    last_days = {number: term_last_day(number, terms) for number in sums["number"].unique().to_list()}
    return sums.with_columns(evidence_date=pl.col("number").replace_strict(last_days, return_dtype=pl.Date))


def in_last_terms(rows: pl.DataFrame, count: int, as_of: date, terms: Terms) -> pl.DataFrame:
    """Enrolment rows of each pupil's last `count` completed terms, with the term's running `number`.

    A school may be `late_by` terms behind: a pupil's terms then end with the latest one reported. A school further
    behind is not waited for, and a pupil who has left keeps what the last terms say.
    """
    last = last_completed_term(as_of, terms)
    numbered = rows.with_columns(number=term_number(pl.col("term"))).filter(pl.col("number") <= last)
    latest = pl.col("number").max().over("person_id")
    ends = pl.when(latest >= last - terms.late_by).then(latest).otherwise(last)
    return numbered.filter(pl.col("number") > ends - count)


def window_of_terms(indicator: Indicator, as_of: date, criteria: Criteria) -> str:
    """The terms in words, for a school that is not late."""
    last = last_completed_term(as_of, criteria.terms)
    return f"terms {term_name(last - (indicator.timing.terms or 0) + 1)} to {term_name(last)}"
