"""Small helpers for Polars columns: text from numpy arrays, and one of several columns by the first test that holds."""

from __future__ import annotations

from typing import Any

import polars as pl
from numpy.typing import NDArray


def text_column(name: str, values: NDArray[Any]) -> pl.Series:
    """A String series of `values` (text or None)."""
    return pl.Series(name, values.tolist(), dtype=pl.String)


def picked(name: str, *cases: tuple[pl.Expr, str | pl.Expr]) -> pl.Expr:
    """Column `name`, or the column of the first case whose test holds."""
    chosen = pl.col(name)
    for test, other in reversed(cases):
        chosen = pl.when(test).then(other).otherwise(chosen)
    return chosen.alias(name)
