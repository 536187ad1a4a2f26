"""A department's return: its own records about matched people, in exactly the columns N7 allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

import polars as pl

from linkage.errors import FlowRefused
from linkage.evaluation import schemas
from linkage.evaluation.schemas import DepartmentSchema, require_columns, require_no_health, require_unique

Window = tuple[date, date]
Tables = Mapping[str, pl.DataFrame]
_REF = r"^[0-9a-f]{32}$"


def minimise_return(
    department: str, matched: pl.DataFrame, attributes: Mapping[str, pl.DataFrame], window: Window
) -> pl.DataFrame:
    """One row per matched ref with the department's columns over `window` (both days included), sorted by ref.

    `matched` has `ref` (the cohort's ref at this department) and `record_id` (the department's own); the record id
    stays behind. `attributes` are the department's tables as named in policy/evaluation_schemas.toml. Months are
    calendar months with at least one day in a spell, each counted once however many spells overlap; custody is in
    days. Raises FlowRefused (N7) for another department, another table, another column, or any column about health;
    CheckFailed for a ref matched twice.
    """
    spec = schemas.load()
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
    ours = {
        name: wanted.join(frame.with_columns(text), on="record_id", how="inner").drop("record_id")
        for name, frame in attributes.items()
    }
    made = wanted.select("ref")
    for part in _MAKERS[department](ours, schema, window):
        made = made.join(part, on="ref", how="left")
    made = made.with_columns(pl.col(_counts(made)).fill_null(0)).sort("ref")
    require_return(department, made)
    return made.select(schema.columns)


def require_return(department: str, frame: pl.DataFrame) -> None:
    """Refuse (N7) a return that is not exactly the department's schema: columns, numbers, known results, random refs.

    The sender and the receiver both call it. Text other than the ref and a Key Stage result cannot pass, so nothing
    that names a person can ride along.
    """
    spec = schemas.load()
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


def _dwp(tables: Tables, schema: DepartmentSchema, window: Window) -> list[pl.DataFrame]:
    spells = tables["benefit_spells"]
    parts = [
        _months(spells.filter(pl.col("benefit") == benefit), window, f"months_on_{benefit.lower()}")
        for benefit in schema.benefits
    ]
    listed = spells.filter(pl.col("benefit").is_in(schema.benefits))
    parts.append(_months(listed, window, "months_on_any_benefit"))
    parts.append(_months(tables["employment_spells"], window, "months_employed"))
    return parts


def _moj(tables: Tables, _: DepartmentSchema, window: Window) -> list[pl.DataFrame]:
    offences = tables["offences"].with_columns(_day("on_date"))
    inside = offences.filter(pl.col("on_date").is_between(*window))
    counts = inside.group_by("ref").agg(
        (pl.col("kind") == "caution").sum().cast(pl.Int64).alias("cautions"),
        (pl.col("kind") == "conviction").sum().cast(pl.Int64).alias("convictions"),
    )
    stays = offences.filter((pl.col("kind") == "custody") & (pl.col("days") > 0)).select(
        "ref",
        pl.col("on_date").alias("started_on"),
        (pl.col("on_date") + pl.duration(days=pl.col("days").cast(pl.Int64) - 1)).alias("ended_on"),
    )
    return [counts, _units(stays, window, "custody_days", "1d")]


def _dfe(tables: Tables, schema: DepartmentSchema, window: Window) -> list[pl.DataFrame]:
    # A row with no possible session, or with more missed than possible, is no evidence either way.
    attended = (
        tables["attendance"]
        .with_columns(_mid_term("term", schema.terms or {}).alias("falls_on"))
        .filter(pl.col("falls_on").is_between(*window))
        .filter((pl.col("sessions_possible") > 0) & (pl.col("sessions_missed") <= pl.col("sessions_possible")))
        .group_by("ref")
        .agg((pl.col("sessions_missed").sum() / pl.col("sessions_possible").sum()).round(3).alias("absence_rate"))
    )
    attained = tables["key_stage"].with_columns(_key_stage("key_stage"), pl.col("year").cast(pl.Int64))
    # A pupil sits a Key Stage once: the latest result up to the end of the window stands, also an earlier year's (N8).
    latest = attained.filter(pl.col("year") <= window[1].year).sort("year")
    results = [
        latest.filter(pl.col("key_stage") == stage)
        .group_by("ref")
        .agg(pl.col("result").last().cast(pl.String).alias(f"{stage.lower()}_result"))
        for stage in schema.key_stages
    ]
    return [attended, *results, _months(tables["cin_spells"], window, "months_child_in_need")]


_MAKERS: dict[str, Callable[[Tables, DepartmentSchema, Window], list[pl.DataFrame]]] = {
    "dwp": _dwp,
    "moj": _moj,
    "dfe": _dfe,
}


def _months(spells: pl.DataFrame, window: Window, name: str) -> pl.DataFrame:
    return _units(spells, window, name, "1mo")


def _units(spells: pl.DataFrame, window: Window, name: str, unit: str) -> pl.DataFrame:
    """`ref` and the number of distinct months (`1mo`) or days (`1d`) of the window that any spell touches."""
    first, last = window
    # An open spell runs to the end of the window.
    clipped = spells.select(
        "ref",
        pl.max_horizontal(_day("started_on"), pl.lit(first)).alias("start"),
        pl.min_horizontal(_day("ended_on").fill_null(last), pl.lit(last)).alias("end"),
        _day("started_on").alias("told"),
    ).filter((pl.col("start") <= pl.col("end")) & pl.col("told").is_not_null())
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
