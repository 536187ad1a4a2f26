"""What the departments hold about people, in the tables N7 allows to be read; those who joined do somewhat better."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl

from linkage.sandbox.columns import text_column
from linkage.sandbox.terms import finished_terms, sessions

_BENEFITS = {"UC": 0.62, "JSA": 0.10, "ESA": 0.18, "IS": 0.06, "CA": 0.04}
_OFFENCES = {"caution": 0.45, "conviction": 0.43, "custody": 0.12}
_RESULTS = ("below", "expected", "above")
_STAGES = {"KS1": 7, "KS2": 11, "KS4": 16}  # age at the end of the stage
_DAYS_BACK = 1_500


def attributes_for(
    rng: np.random.Generator, department: str, records: pl.DataFrame, as_of: date
) -> dict[str, pl.DataFrame]:
    """The department's tables. `records`: record_id, date_of_birth, age, and person_id, status, assessed_on for people
    of the families (null for others). Dates are dates, counts are whole numbers."""
    made: dict[str, Callable[[], dict[str, pl.DataFrame]]] = {
        "dwp": lambda: {
            "benefit_spells": _benefits(rng, records, as_of),
            "employment_spells": _employment(rng, records, as_of),
        },
        "moj": lambda: {"offences": _offences(rng, records, as_of)},
        "dfe": lambda: {
            "attendance": _attendance(rng, records, as_of),
            "key_stage": _key_stages(rng, records, as_of),
            "cin_spells": _in_need(rng, records, as_of),
        },
    }
    return made[department]()


_MEMBER = pl.col("person_id").is_not_null()
_JOINED = (pl.col("status") == "joined").fill_null(False)


def _some(rng: np.random.Generator, records: pl.DataFrame, chance: pl.Expr) -> pl.DataFrame:
    draws = records.with_columns(pl.Series("draw", rng.random(records.height)))
    return draws.filter(pl.col("draw") < chance)


def _spell(rng: np.random.Generator, frame: pl.DataFrame, as_of: date, ended: float) -> list[pl.Expr]:
    """`started_on` within the last four years and `ended_on` after it, null for a spell that goes on."""
    size = frame.height
    start = rng.integers(30, _DAYS_BACK, size)
    length = np.floor(start * rng.random(size)).astype(np.int64) + 1
    over = pl.Series(rng.random(size) < ended)
    began = pl.lit(as_of) - pl.duration(days=pl.lit(pl.Series(start)))
    return [
        began.alias("started_on"),
        pl.when(over).then(began + pl.duration(days=pl.lit(pl.Series(np.minimum(length, start))))).alias("ended_on"),
    ]


def _benefits(rng: np.random.Generator, records: pl.DataFrame, as_of: date) -> pl.DataFrame:
    chance = pl.when(_JOINED).then(0.52).when(_MEMBER).then(0.62).otherwise(0.30)
    claims = pl.concat([_some(rng, records, chance), _some(rng, records, chance * 0.3)])
    kind = rng.choice(list(_BENEFITS), claims.height, p=list(_BENEFITS.values()))
    return claims.select("record_id", text_column("benefit", kind), *_spell(rng, claims, as_of, ended=0.45)).sort(
        "record_id", "started_on", "benefit"
    )


def _employment(rng: np.random.Generator, records: pl.DataFrame, as_of: date) -> pl.DataFrame:
    chance = pl.when(_MEMBER).then(0.48).otherwise(0.72)
    jobs = _some(rng, records, chance)
    usual = jobs.select("record_id", *_spell(rng, jobs, as_of, ended=0.40))
    # The programme's effect: some who joined found work in the weeks after they were assessed.
    helped = _some(rng, records.filter(_JOINED), pl.lit(0.30))
    after = pl.Series(rng.integers(5, 90, helped.height))
    found = helped.select(
        "record_id",
        pl.min_horizontal(pl.col("assessed_on") + pl.duration(days=pl.lit(after)), pl.lit(as_of)).alias("started_on"),
        pl.lit(None, dtype=pl.Date).alias("ended_on"),
    )
    return pl.concat([usual, found]).sort("record_id", "started_on", "ended_on")


def _offences(rng: np.random.Generator, records: pl.DataFrame, as_of: date) -> pl.DataFrame:
    again = _some(rng, records, pl.lit(0.45))
    rows = pl.concat([records.select("record_id", "age"), again.select("record_id", "age")])
    size = rows.height
    kind = rng.choice(list(_OFFENCES), size, p=list(_OFFENCES.values()))
    # Nobody offends before the age of ten.
    reach = np.minimum((rows["age"].to_numpy() - 10) * 365 + 30, _DAYS_BACK)
    back = np.floor(reach * rng.random(size)).astype(np.int64) + 1
    days = np.where(kind == "custody", rng.integers(14, 400, size), 0)
    return rows.select(
        "record_id",
        text_column("kind", kind),
        (pl.lit(as_of) - pl.duration(days=pl.lit(pl.Series(back)))).alias("on_date"),
        pl.Series("days", days),
    ).sort("record_id", "on_date", "kind")


def _attendance(rng: np.random.Generator, records: pl.DataFrame, as_of: date) -> pl.DataFrame:
    pupils = records.filter(pl.col("age").is_between(5, 16)).with_columns(
        pl.Series("habit", rng.beta(1.6, 22.0, records.height)[: records["age"].is_between(5, 16).sum()])
    )
    terms = finished_terms(as_of, 6)
    rows = pupils.join(
        pl.DataFrame({"term": terms, "full": [sessions(term) for term in terms], "late": [0, 0, 0, 1, 1, 1]}),
        how="cross",
    )
    size = rows.height
    possible = pl.col("full") - pl.Series(rng.integers(0, 8, size))
    factor = pl.when(_JOINED & (pl.col("late") == 1)).then(1.2).when(_MEMBER).then(1.7).otherwise(1.0)
    share = (pl.col("habit") * factor * (0.7 + 0.6 * pl.Series(rng.random(size)))).clip(0.0, 0.9)
    return rows.select(
        "record_id",
        "term",
        possible.alias("sessions_possible"),
        (possible * share).floor().cast(pl.Int64).alias("sessions_missed"),
    ).sort("record_id", "term")


def _key_stages(rng: np.random.Generator, records: pl.DataFrame, as_of: date) -> pl.DataFrame:
    stages = pl.DataFrame({"key_stage": list(_STAGES), "at_age": list(_STAGES.values())})
    # A stage ends in the summer of the school year (September to August) in which the pupil reaches the age.
    born = pl.col("date_of_birth")
    year = born.dt.year() + pl.col("at_age") + (born.dt.month() >= 9).cast(pl.Int32)
    last_summer = as_of.year if as_of >= date(as_of.year, 8, 31) else as_of.year - 1
    rows = records.join(stages, how="cross").with_columns(year.alias("year")).filter(pl.col("year") <= last_summer)
    draw = rng.random(rows.height)
    lower = rows["person_id"].is_not_null().to_numpy() * 0.15
    result = np.array(_RESULTS)[np.searchsorted([0.28, 0.82], np.clip(draw - lower, 0, 1))]
    return rows.select("record_id", "key_stage", "year", text_column("result", result)).sort("record_id", "key_stage")


def _in_need(rng: np.random.Generator, records: pl.DataFrame, as_of: date) -> pl.DataFrame:
    children = _some(rng, records, pl.when(_JOINED).then(0.22).when(_MEMBER).then(0.28).otherwise(0.03))
    return children.select("record_id", *_spell(rng, children, as_of, ended=0.6)).sort("record_id", "started_on")
