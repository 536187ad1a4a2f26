"""A department's return: its own records about matched people, in exactly the columns N7 allows and the programme asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

import polars as pl

from linkage.errors import FlowRefused
from linkage.evaluation import schemas
from linkage.evaluation.schemas import DepartmentSchema, Schemas, require_columns, require_no_health, require_unique

Window = tuple[date, date]
Maker = Callable[[pl.DataFrame, DepartmentSchema, Window], list[pl.DataFrame]]
_REF = r"^[0-9a-f]{32}$"
_LONGEST_STAY = 36_525  # days: a longer stay in custody is a slip, and would only overflow


def minimise_return(
    department: str,
    matched: pl.DataFrame,
    attributes: Mapping[str, pl.DataFrame],
    window: Window,
    spec: Schemas | None = None,
) -> pl.DataFrame:
    """One row per matched ref with the department's columns over `window` (both days included), sorted by ref.

    `matched` has `ref` (the cohort's ref at this department) and `record_id` (the department's own); the record id
    stays behind. `attributes` are the department's tables as named in policy/evaluation_schemas.toml; `spec` is those
    schemas narrowed to what the programme asks for (default: all). Months are calendar months with at least one day in a
    spell, each counted once however many spells overlap or are told twice; custody is in days, and cautions and convictions
    are the days on which there was one. What cannot be read, or ends before it starts, is evidence of nothing. Raises
    FlowRefused (N7) for another department, another table, another column, or any column about health; CheckFailed for a
    ref matched twice.
    """
    spec = spec or schemas.load()
    schema = spec.department(department)
    for frame in attributes.values():
        require_no_health(frame.columns, spec, f"the records of {department}")
    if set(attributes) != set(schema.inputs):
        raise FlowRefused("N7", f"a return of {department} is made from {', '.join(schema.inputs)} and nothing else")
    for name, columns in schema.inputs.items():
        require_columns(attributes[name], columns, "N7", f"the {department} table {name}")
    require_columns(matched, ("ref", "record_id"), "N7", "the matched people")
    require_unique(matched, "ref", "the matched people")
    text = pl.col("record_id").cast(pl.String)
    wanted = matched.select(pl.col("ref").cast(pl.String), text)
    made = wanted.select("ref")
    for name, frame in attributes.items():
        # A row that is told twice is one: two cannot be told apart from it.
        ours = wanted.join(frame.with_columns(text).unique(), on="record_id", how="inner").drop("record_id")
        for part in _MAKERS[name](ours, schema, window):
            made = made.join(part, on="ref", how="left")
    made = made.with_columns(pl.col(_counts(made)).fill_null(0)).sort("ref").select(schema.columns)
    require_return(department, made, spec)
    return made


def require_return(department: str, frame: pl.DataFrame, spec: Schemas | None = None) -> None:
    """Refuse (N7) a return that is not exactly the department's schema: columns, numbers, known results, random refs.

    The sender and the receiver both call it. Text other than the ref and a Key Stage result cannot pass, so nothing
    that names a person can ride along.
    """
    spec = spec or schemas.load()
    schema = spec.department(department)
    require_no_health(frame.columns, spec, f"the return of {department}")
    require_columns(frame, schema.columns, "N7", f"the return of {department}")
    require_unique(frame, "ref", f"the return of {department}")
    if frame.height and not frame["ref"].cast(pl.String).str.contains(_REF).all():
        raise FlowRefused("N7", f"the return of {department} has refs that are not random refs of this project")
    for column in schema.columns[1:]:
        series = frame[column]
        if column.endswith("_result"):
            known = series.is_null() | series.cast(pl.String).is_in(schema.results)
            if not known.all():
                raise FlowRefused("N7", f"the return of {department} has unknown results in {column}")
        elif not (series.dtype.is_numeric() or series.dtype == pl.Null):
            raise FlowRefused("N7", f"the return of {department} must hold numbers in {column}")


def _benefits(spells: pl.DataFrame, schema: DepartmentSchema, window: Window) -> list[pl.DataFrame]:
    parts = [
        _months(spells.filter(pl.col("benefit") == benefit), window, f"months_on_{benefit.lower()}")
        for benefit in schema.benefits
    ]
    # A benefit that is not listed, such as one for disability, does not count as any benefit either.
    return [*parts, _months(spells.filter(pl.col("benefit").is_in(schema.benefits)), window, "months_on_any_benefit")]


def _employment(spells: pl.DataFrame, _: DepartmentSchema, window: Window) -> list[pl.DataFrame]:
    return [_months(spells, window, "months_employed")]


def _offences(offences: pl.DataFrame, _: DepartmentSchema, window: Window) -> list[pl.DataFrame]:
    dated = offences.with_columns(_day("on_date"))
    inside = dated.filter(pl.col("on_date").is_between(*window))
    days_with = {"caution": "cautions", "conviction": "convictions"}
    counts = inside.group_by("ref").agg(
        pl.col("on_date").filter(pl.col("kind") == kind).n_unique().cast(pl.Int64).alias(name)
        for kind, name in days_with.items()
    )
    days = pl.col("days").cast(pl.Int64, strict=False)
    stays = dated.filter((pl.col("kind") == "custody") & days.is_between(1, _LONGEST_STAY)).select(
        "ref",
        pl.col("on_date").alias("started_on"),
        (pl.col("on_date") + pl.duration(days=days - 1)).alias("ended_on"),
    )
    return [counts, _units(stays, window, "custody_days", "1d")]


def _attendance(attendance: pl.DataFrame, schema: DepartmentSchema, window: Window) -> list[pl.DataFrame]:
    # A row with no possible session, or with more missed than possible or fewer than none, is no evidence either way.
    attended = (
        attendance.with_columns(_mid_term("term", schema.terms or {}).alias("falls_on"))
        .filter(pl.col("falls_on").is_between(*window), pl.col("sessions_possible") > 0)
        .filter(pl.col("sessions_missed").is_between(0, pl.col("sessions_possible")))
    )
    share = pl.col("sessions_missed").sum() / pl.col("sessions_possible").sum()
    return [attended.group_by("ref").agg(share.round(3).alias("absence_rate"))]


def _key_stages(told: pl.DataFrame, schema: DepartmentSchema, window: Window) -> list[pl.DataFrame]:
    # A pupil sits a Key Stage once: the latest result up to the end of the window stands, also an earlier year's (N8).
    # Two different results of one year say nothing.
    known = told.select("ref", _key_stage("key_stage"), pl.col("year").cast(pl.Int64), pl.col("result").cast(pl.String))
    latest = known.filter(pl.col("year") <= window[1].year, pl.col("result").is_in(schema.results)).filter(
        pl.col("year") == pl.col("year").max().over("ref", "key_stage")
    )
    results = latest.group_by("ref", "key_stage").agg(
        pl.when(pl.col("result").n_unique() == 1).then(pl.col("result").first()).alias("result")
    )
    return [
        results.filter(pl.col("key_stage") == stage).select("ref", pl.col("result").alias(f"{stage.lower()}_result"))
        for stage in schema.key_stages
    ]


def _in_need(spells: pl.DataFrame, _: DepartmentSchema, window: Window) -> list[pl.DataFrame]:
    return [_months(spells, window, "months_child_in_need")]


_MAKERS: dict[str, Maker] = {
    "benefit_spells": _benefits,
    "employment_spells": _employment,
    "offences": _offences,
    "attendance": _attendance,
    "key_stage": _key_stages,
    "cin_spells": _in_need,
}


def _months(spells: pl.DataFrame, window: Window, name: str) -> pl.DataFrame:
    return _units(spells, window, name, "1mo")


def _units(spells: pl.DataFrame, window: Window, name: str, unit: str) -> pl.DataFrame:
    """`ref` and the number of distinct months (`1mo`) or days (`1d`) of the window that any spell touches.

    A spell without an end goes on; one whose end cannot be read, or lies before its start, is left out.
    """
    first, last = window
    told = spells.select(
        "ref", _day("started_on"), _day("ended_on"), pl.col("ended_on").is_null().alias("open")
    ).filter(pl.col("started_on").is_not_null(), pl.col("open") | (pl.col("started_on") <= pl.col("ended_on")))
    clipped = told.select(
        "ref",
        pl.max_horizontal("started_on", pl.lit(first)).alias("start"),
        pl.min_horizontal(pl.col("ended_on").fill_null(last), pl.lit(last)).alias("end"),
    ).filter(pl.col("start") <= pl.col("end"))
    start = pl.col("start").dt.month_start() if unit == "1mo" else pl.col("start")
    return (
        clipped.select("ref", pl.date_ranges(start, "end", interval=unit).alias("unit"))
        .explode("unit")
        .group_by("ref")
        .agg(pl.col("unit").n_unique().cast(pl.Int64).alias(name))
    )


def _day(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.to_date("%Y-%m-%d", strict=False, exact=True).alias(column)


def _mid_term(column: str, terms: Mapping[str, str]) -> pl.Expr:
    year = pl.col(column).str.extract(r"^(\d{4})-")
    season = pl.col(column).str.extract(r"-(\w+)$").replace_strict(dict(terms), default=None, return_dtype=pl.String)
    return (year + "-" + season).str.to_date("%Y-%m-%d", strict=False)


def _key_stage(column: str) -> pl.Expr:
    # Registers write KS2, ks2 or 2.
    return ("KS" + pl.col(column).cast(pl.String).str.extract(r"(\d)$")).alias(column)


def _counts(frame: pl.DataFrame) -> list[str]:
    """A matched person without a spell or an offence has none; a rate or a result without a source stays unknown."""
    return [c for c in frame.columns if c not in ("ref", "absence_rate") and not c.endswith("_result")]
