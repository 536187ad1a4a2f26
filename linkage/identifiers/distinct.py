"""Each distinct text of a column once: what is worked out for it is looked up by every row that holds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

NOTHING = -1


@dataclass(frozen=True)
class Distinct:
    """A column by its distinct values: `table` has one row for each, `place` says which row a record has (or -1)."""

    table: pl.DataFrame
    place: NDArray[np.int32]

    def rows(self) -> pl.DataFrame:
        """The table's columns for every record, null throughout where a record has none."""
        found = pl.Series(self.place)
        where = found.set(found < 0, None)
        return self.table.select(pl.all().gather(where)) if len(self.table) else self.table.clear(len(self.place))

    def reached(self, records: NDArray[np.int64] | None, columns: list[str]) -> Distinct:
        """The same for some of the records only (all when None) and some columns, without rows nobody reaches."""
        table = self.table.select(columns)
        if records is None:
            return Distinct(table, self.place)
        place = self.place[records]
        # The last entry is what place -1 points at.
        used = np.zeros(len(table) + 1, dtype=np.bool_)
        used[place] = True
        used[-1] = False
        shorter = np.where(used, np.cumsum(used, dtype=np.int32) - 1, NOTHING).astype(np.int32)
        return Distinct(table.filter(pl.Series(used[:-1])), shorter[place])


def distinct(column: pl.Series, derive: Callable[[pl.Series], pl.DataFrame], by: tuple[str, ...]) -> Distinct:
    """`column` (text) by distinct text, with the columns that `derive` makes of each.

    A text for which the columns `by` are null throughout is no value.
    """
    groups = (
        column.to_frame("text")
        .lazy()
        .with_row_index("row")
        .filter(pl.col("text").is_not_null())
        .group_by("text")
        .agg("row")
        .collect()
    )
    table = derive(groups["text"])
    number = np.arange(len(table), dtype=np.int32)
    number[table.select(pl.all_horizontal(pl.col(by).is_null())).to_series().to_numpy()] = NOTHING
    place = np.full(len(column), NOTHING, dtype=np.int32)
    rows = groups["row"]
    place[rows.explode(empty_as_null=False).to_numpy()] = np.repeat(number, rows.list.len().to_numpy())
    return Distinct(table, place)
