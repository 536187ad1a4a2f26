"""Schools' attendance rows: one per pupil, enrolment and term, adding up exactly to what was planted."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from linkage.sandbox.terms import finished_terms, sessions

_SCHOOLS = 40
_OLDER_SHARE = 0.6  # of the sessions of the term that no longer counts

# Plan -> share of sessions missed over the three terms: [from, to). Plans not listed miss as pupils ordinarily do.
_SHARES = {"absent": (0.12, 0.45), "missing_education": (0.05, 0.09), "absent_over_two_schools": (0.12, 0.16)}
_ORDINARY = (0.0, 0.085)
_ONE_SCHOOL = (0.07, 0.09)  # under a tenth in all, though far over it in the enrolment it fell in
_TWO_SCHOOLS = ("absent_over_two_schools", "one_school_bad")


def attendance_rows(rng: np.random.Generator, pupils: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The schools feed's own columns as text, by person_id. `pupils`: person_id, plan (null for an ordinary pupil).

    Missed sessions of the last three finished terms are exact: `absent_a_tenth` is the smallest whole number that
    reaches a tenth of the possible ones, `just_under_a_tenth` one fewer.
    """
    older, first, second, third = finished_terms(as_of)
    size = pupils.height
    base = pupils.with_columns(
        pl.Series("school", rng.integers(0, _SCHOOLS, size)),
        pl.Series("off", rng.integers(0, 9, size)),
        pl.Series("u", rng.random(size)),
        pl.Series("leave", rng.random(size)),
        pl.Series("once", rng.random(size) < 0.03),
    )
    two = pl.col("plan").is_in(_TWO_SCHOOLS).fill_null(False)
    rows = pl.concat(
        [
            _term(base, first, 0, 1.0),
            _term(base.filter(~two), second, 0, 1.0),
            _term(base.filter(two), second, 0, 0.4),
            _term(base.filter(two), second, 1, 0.6),
            _term(base.filter(~two), third, 0, 1.0),
            _term(base.filter(two), third, 1, 1.0),
        ]
    ).sort("person_id", "term", "moved")
    rows = _missed(rows, two)
    long_ago = _term(base.filter(pl.col("plan") == "absent_long_ago"), older, 0, 1.0).with_columns(
        missed=(pl.col("possible") * _OLDER_SHARE).floor().cast(pl.Int64)
    )
    return _flags(pl.concat([rows, long_ago], how="diagonal"), older, third)


def _term(base: pl.DataFrame, term: str, moved: int, part: float) -> pl.DataFrame:
    whole = sessions(term) - pl.col("off")
    return base.with_columns(
        pl.lit(term).alias("term"),
        pl.lit(moved).alias("moved"),
        ((pl.col("school") + 7 * moved) % _SCHOOLS).alias("school"),
        (whole * part).floor().cast(pl.Int64).alias("possible"),
    )


def _missed(rows: pl.DataFrame, two: pl.Expr) -> pl.DataFrame:
    """Share a pupil's missed sessions out over the rows so that they add up: differences of a rounded running total."""
    total = pl.col("possible").sum().over("person_id")
    low, high = (
        pl.col("plan").replace_strict(
            {plan: share[end] for plan, share in _SHARES.items()} | {"one_school_bad": _ONE_SCHOOL[end]},
            default=_ORDINARY[end],
            return_dtype=pl.Float64,
        )
        for end in (0, 1)
    )
    a_tenth = (total + 9) // 10
    share = (
        total * (low.fill_null(_ORDINARY[0]) + pl.col("u") * (high.fill_null(_ORDINARY[1]) - low.fill_null(0.0)))
    ).floor()
    target = (
        pl.when(pl.col("plan") == "absent_a_tenth")
        .then(a_tenth)
        .when(pl.col("plan") == "just_under_a_tenth")
        .then(a_tenth - 1)
        .otherwise(share.cast(pl.Int64))
    )
    room = pl.when(two & (pl.col("moved") == 1)).then(0).otherwise(pl.col("possible"))
    running, whole = room.cum_sum().over("person_id"), room.sum().over("person_id")
    so_far = (target * running) // whole
    return rows.with_columns((so_far - so_far.shift(1, fill_value=0).over("person_id")).alias("missed"))


def _flags(rows: pl.DataFrame, older: str, third: str) -> pl.DataFrame:
    plan, last = pl.col("plan").fill_null(""), pl.col("term") == third
    authorised = (pl.col("missed") * pl.col("leave")).floor().cast(pl.Int64)
    exclusions = (
        pl.when((plan == "absent_long_ago") & (pl.col("term") == older))
        .then(3)
        .when(plan == "excluded_three_times")
        .then(1)  # one in each of the three terms
        .when((plan == "excluded_twice") & last)
        .then(2)
        .when((plan == "") & pl.col("once") & last)
        .then(1)
        .otherwise(0)
    )
    flags = {
        "permanent_exclusion": "excluded_for_good",
        "missing_education": "missing_education",
        "behaviour_provision": "behaviour_provision",
    }
    return rows.select(
        "person_id",
        pl.format("Establishment {}", 2000 + pl.col("school")).alias("establishment"),
        "term",
        pl.col("possible").cast(pl.String).alias("sessions_possible"),
        authorised.cast(pl.String).alias("sessions_authorised"),
        (pl.col("missed") - authorised).cast(pl.String).alias("sessions_unauthorised"),
        exclusions.cast(pl.String).alias("fixed_term_exclusions"),
        *(
            pl.when((plan == wanted) & last).then(pl.lit("1")).otherwise(pl.lit("0")).alias(name)
            for name, wanted in flags.items()
        ),
    ).sort("person_id", "term", "establishment")
