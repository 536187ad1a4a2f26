"""Deny by default: a declared shape, known categories, plain counts, no identifier (R1)."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from linkage.release import lattice
from linkage.release.findings import Finding
from linkage.release.lattice import Grid, Key
from linkage.release.rules import MEASURES, OUTCOME, ReleasePolicy
from linkage.release.tables import LARGEST, ReleaseSpec

RATE = "rate"
_EXTREMES = ("min", "max", "minimum", "maximum", "median", "largest", "smallest", "range", "percentile", "quantile")


def check_shape(frame: pl.DataFrame, spec: ReleaseSpec, policy: ReleasePolicy) -> list[Finding]:
    """What keeps `frame` from being a table of its declared shape. Categories are not repeated in the findings."""
    found = _check_spec(spec, policy)
    if found:
        return found
    found = _check_columns(frame, policy.shapes[spec.shape])
    if frame.height > policy.rows:
        found.append(Finding("R1", "too_many_rows"))
    if frame.height == 0:
        found.append(Finding("R1", "no_rows"))
    found += scan(frame, policy)
    if found:
        return found
    found += _check_cells(frame, spec, policy)
    return found


def scan(frame: pl.DataFrame, policy: ReleasePolicy) -> list[Finding]:
    """Cells that look like an identifier, or are too long for a category: row, column and kind, never the text (R1)."""
    found: list[Finding] = []
    numbered = frame.with_row_index("row no", offset=1)
    for column in frame.columns:
        text = pl.col(column).cast(pl.String)
        for kind, pattern in policy.identifier_patterns.items():
            rows = numbered.filter(text.str.contains(pattern))["row no"]
            found += [Finding("R1", f"identifier_{kind}", row=row, column=column) for row in rows]
        rows = numbered.filter(text.str.len_chars() > policy.text_length)["row no"]
        found += [Finding("R1", "text_too_long", row=row, column=column) for row in rows]
    return found


def read_grid(frame: pl.DataFrame, spec: ReleaseSpec, policy: ReleasePolicy) -> Grid:
    """The table as cells. A combination without a row counts nobody. Call it on a frame that `check_shape` passed.

    Totals are taken over where the frame has them; `check` compares them with the sums.
    """
    dimensions = policy.shapes[spec.shape]
    present = {name: set(frame[name].cast(pl.String).to_list()) - {policy.total} for name in dimensions}
    cells = lattice.build(dimensions, present, policy)
    shown: dict[str, dict[Key, int | None]] = {measure: {} for measure in MEASURES}
    hidden: set[Key] = set()
    marks = (policy.hidden_mark, policy.not_additive_mark)
    told = frame.select(pl.col(*dimensions, *MEASURES).cast(pl.String))
    for row in told.iter_rows(named=True):
        key: Key = tuple(None if row[name] == policy.total else row[name] for name in dimensions)
        if policy.hidden_mark in (row[measure] for measure in MEASURES):
            hidden.add(key)
        for measure in MEASURES:
            shown[measure][key] = None if row[measure] in marks else int(row[measure])
    for key in cells.interior:
        for measure in MEASURES:
            shown[measure].setdefault(key, 0)
    return Grid(spec, cells, shown, frozenset(hidden))


def largest_families(frame: pl.DataFrame, spec: ReleaseSpec, policy: ReleasePolicy) -> Mapping[Key, int]:
    """People of the family that gives most to each cell, where the raw table says so (R2, dominance)."""
    if LARGEST not in frame.columns:
        return {}
    dimensions = policy.shapes[spec.shape]
    told = frame.select(pl.col(*dimensions).cast(pl.String), pl.col(LARGEST).cast(pl.Int64))
    return {tuple(row[:-1]): row[-1] for row in told.iter_rows()}


def _check_spec(spec: ReleaseSpec, policy: ReleasePolicy) -> list[Finding]:
    if spec.shape not in policy.shapes:
        return [Finding("R1", "shape_not_declared")]
    has_outcome = OUTCOME in policy.shapes[spec.shape]
    if has_outcome != (spec.outcome is not None) or (has_outcome and spec.outcome not in policy.outcomes):
        return [Finding("R1", "outcome_not_declared")]
    return []


def _check_columns(frame: pl.DataFrame, dimensions: tuple[str, ...]) -> list[Finding]:
    allowed = {*dimensions, *MEASURES, LARGEST, RATE}
    found: list[Finding] = []
    for number, column in enumerate(frame.columns, start=1):
        if column in allowed:
            continue
        extreme = set(column.lower().split("_")) & set(_EXTREMES)
        # The name of an unknown column may itself be somebody's name, so its place is told instead.
        found.append(
            Finding("R2" if extreme else "R1", "extreme" if extreme else "column_not_declared", column=f"#{number}")
        )
    found += [
        Finding("R1", "column_missing", column=name) for name in (*dimensions, *MEASURES) if name not in frame.columns
    ]
    return found


def _check_cells(frame: pl.DataFrame, spec: ReleaseSpec, policy: ReleasePolicy) -> list[Finding]:
    dimensions = policy.shapes[spec.shape]
    found: list[Finding] = []
    for name in dimensions:
        allowed = policy.dimensions[name]
        column = frame[name].cast(pl.String).fill_null("")
        known = [part == policy.total or allowed.allows(part) for part in column]
        found += [
            Finding("R1", "category_not_declared", row=row, column=name)
            for row, fits in enumerate(known, start=1)
            if not fits
        ]
    marks = [policy.hidden_mark, policy.not_additive_mark]
    counted = [*MEASURES, LARGEST] if LARGEST in frame.columns else [*MEASURES]
    for name in counted:
        text = frame[name].cast(pl.String).fill_null("")
        fits = text.str.contains(r"^\d{1,9}$") | (text.is_in(marks) if name in MEASURES else pl.Series([False]))
        found += [
            Finding("R1", "not_a_count", row=row, column=name) for row, good in enumerate(fits, start=1) if not good
        ]
    if frame.select(dimensions).is_duplicated().any():
        found.append(Finding("R1", "cell_given_twice"))
    return found
