"""Deny by default: a declared shape, known categories, plain counts, no identifier (R1)."""

from __future__ import annotations

import numpy as np
import polars as pl

from linkage.release import findings, lattice
from linkage.release.axes import Ints
from linkage.release.findings import Finding
from linkage.release.lattice import Grid
from linkage.release.rules import MEASURES, OUTCOME, ReleasePolicy
from linkage.release.tables import CONTRIBUTIONS, ReleaseSpec

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


def read_grid(frame: pl.DataFrame, spec: ReleaseSpec, policy: ReleasePolicy) -> tuple[Grid, list[Finding]]:
    """The table as cells, and totals in it that have no place (R2). Call it on a frame that `check_shape` passed.

    A combination without a row counts nobody. Totals are taken over where the frame has them; `check` compares them
    with the sums.
    """
    dimensions = policy.shapes[spec.shape]
    told = frame.select(pl.col(*dimensions, *MEASURES).cast(pl.String))
    laid = lattice.lay_out(dimensions, {name: set(told[name].unique()) for name in dimensions}, policy)
    places = [
        told[axis.name].replace_strict(
            axis.labels, range(len(axis.labels)), default=lattice.NOTHING, return_dtype=pl.Int64
        )
        for axis in laid.axes
    ]
    index = np.column_stack([place.to_numpy() for place in places])
    here = (index != lattice.NOTHING).all(axis=1)
    cells = tuple(index[here].T)
    hidden = np.zeros(laid.shape, dtype=bool)
    given = np.zeros(laid.shape, dtype=bool)
    given[cells] = True
    marked = told.select(pl.any_horizontal(pl.col(*MEASURES) == policy.hidden_mark)).to_series().to_numpy()
    hidden[cells] = marked[here]
    found = [Finding("R2", "total_not_declared", row=int(row) + 1) for row in np.flatnonzero(~here)]
    shown: dict[str, Ints] = {}
    for measure in MEASURES:
        values = told[measure].cast(pl.Int64, strict=False).fill_null(lattice.NOTHING).to_numpy()
        shown[measure] = np.full(laid.shape, lattice.NOTHING)
        shown[measure][cells] = values[here]
        inside = shown[measure][laid.leaf_block]
        inside[~given[laid.leaf_block]] = 0
        extra = ~laid.has(measure) & (shown[measure] != lattice.NOTHING)
        found += findings.at_all(laid, extra, "R2", "total_not_declared")
    return Grid(spec, laid, shown, hidden), found


def contributions(frame: pl.DataFrame, grid: Grid) -> dict[str, Ints]:
    """People of the families that give most to each cell, where the raw table says so (R2, dominance)."""
    axes = grid.lattice.axes
    index = [
        frame[axis.name]
        .cast(pl.String)
        .replace_strict(axis.labels, range(len(axis.labels)), return_dtype=pl.Int64)
        .to_numpy()
        for axis in axes
    ]
    found = {}
    for name in (name for name in CONTRIBUTIONS if name in frame.columns):
        out = np.zeros(grid.lattice.shape, dtype=np.int64)
        out[tuple(index)] = frame[name].cast(pl.Int64).to_numpy()
        found[name] = out[grid.lattice.leaf_block]
    return found


def _check_spec(spec: ReleaseSpec, policy: ReleasePolicy) -> list[Finding]:
    if spec.shape not in policy.shapes:
        return [Finding("R1", "shape_not_declared")]
    has_outcome = OUTCOME in policy.shapes[spec.shape]
    if has_outcome != (spec.outcome is not None) or (has_outcome and spec.outcome not in policy.outcomes):
        return [Finding("R1", "outcome_not_declared")]
    return []


def _check_columns(frame: pl.DataFrame, dimensions: tuple[str, ...]) -> list[Finding]:
    allowed = {*dimensions, *MEASURES, *CONTRIBUTIONS, RATE}
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
        known = [part for part in column.unique() if part == policy.total or allowed.allows(part)]
        rows = (~column.is_in(known)).arg_true()
        found += [Finding("R1", "category_not_declared", row=row + 1, column=name) for row in rows]
    marks = [policy.hidden_mark, policy.not_additive_mark]
    counted = [*MEASURES, *(name for name in CONTRIBUTIONS if name in frame.columns)]
    for name in counted:
        text = frame[name].cast(pl.String).fill_null("")
        fits = text.str.contains(r"^\d{1,9}$") | (text.is_in(marks) if name in MEASURES else pl.Series([False]))
        found += [
            Finding("R1", "not_a_count", row=row, column=name) for row, good in enumerate(fits, start=1) if not good
        ]
    if frame.select(dimensions).is_duplicated().any():
        found.append(Finding("R1", "cell_given_twice"))
    return found
