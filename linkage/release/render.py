"""A protected table as text: hidden cells marked, rates from what is shown (R2)."""

from __future__ import annotations

import numpy as np
import polars as pl

from linkage.release.axes import Ints
from linkage.release.lattice import NOTHING, Grid
from linkage.release.rules import MEASURES, OUTCOME, ReleasePolicy
from linkage.release.shape import RATE


def to_frame(grid: Grid, policy: ReleasePolicy) -> pl.DataFrame:
    """Every cell with its totals, cells of categories first; `rate` beside the first category of the outcome."""
    lattice = grid.lattice
    order = np.argsort(lattice.level.ravel(), kind="stable")
    nodes = np.unravel_index(order, lattice.shape)
    columns = {axis.name: np.array(axis.labels)[node] for axis, node in zip(lattice.axes, nodes, strict=True)}
    for measure in MEASURES:
        values = grid.visible(measure).ravel()[order]
        marks = np.where(grid.hidden.ravel()[order], policy.hidden_mark, policy.not_additive_mark)
        columns[measure] = np.where(values == NOTHING, marks, values.astype(str))
    if OUTCOME in lattice.dimensions:
        columns[RATE] = _rates(grid, policy).ravel()[order]
    return pl.DataFrame(
        {name: values.tolist() for name, values in columns.items()}, schema_overrides=dict.fromkeys(columns, pl.String)
    )


def _rates(grid: Grid, policy: ReleasePolicy) -> np.typing.NDArray[np.str_]:
    """The share with the outcome among those of whom it is known, from shown counts only (R2); else empty."""
    out = np.full(grid.lattice.shape, "", dtype="<U8")
    number = grid.lattice.dimensions.index(OUTCOME)
    axis = grid.lattice.axes[number]
    parts = policy.dimensions[OUTCOME].rate
    if not parts or parts[0] not in axis.places:
        return out
    place: list[slice | int] = [slice(None)] * len(grid.lattice.axes)
    place[number] = axis.places[parts[0]]
    if not set(parts) <= set(axis.places):
        out[tuple(place)] = policy.hidden_mark
        return out
    shown: Ints = np.take(grid.visible(MEASURES[0]), [axis.places[part] for part in parts], axis=number)
    whole = np.maximum(shown.sum(axis=number), 1)
    known = (shown != NOTHING).all(axis=number) & (shown.sum(axis=number) > 0)
    share = np.take(shown, 0, axis=number) / whole
    out[tuple(place)] = np.where(known, np.char.mod("%.2f", share), policy.hidden_mark)
    return out
