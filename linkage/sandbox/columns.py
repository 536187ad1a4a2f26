"""From numpy arrays to Polars columns of text."""

from __future__ import annotations

from typing import Any

import polars as pl
from numpy.typing import NDArray


def text_column(name: str, values: NDArray[Any]) -> pl.Series:
    """A String series of `values` (text or None)."""
    return pl.Series(name, values.tolist(), dtype=pl.String)
