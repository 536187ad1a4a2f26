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
        if len(place) * 8 < len(table):
            # Of a few, looking at the whole table would be most of the work.
            found, number = np.unique(place, return_inverse=True)
            if len(found) and found[0] < 0:
                found, number = found[1:], number - 1
            return Distinct(table[found], number.astype(np.int32))
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
    rows = column.is_not_null().arg_true().to_numpy()
    texts, number = _numbered(column.drop_nulls())
    table = derive(texts)
    names = np.arange(len(table), dtype=np.int32)
    names[table.select(pl.all_horizontal(pl.col(by).is_null())).to_series().to_numpy()] = NOTHING
    place = np.full(len(column), NOTHING, dtype=np.int32)
    place[rows] = names[number]
    return Distinct(table, place)


def _numbered(texts: pl.Series) -> tuple[pl.Series, NDArray[np.int64]]:
    """The distinct texts, and for each text the place of its own among them."""
    hashes = texts.hash(seed=0).to_numpy()
    order = np.argsort(hashes)
    begins = np.append(True, hashes[order[1:]] != hashes[order[:-1]])[: len(order)]
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.cumsum(begins) - 1
    distinct = texts.gather(order[begins])
    if (distinct.gather(number) == texts).all():
        return distinct, number
    # Two texts of one hash, which somebody made on purpose.
    distinct = texts.unique()
    places = pl.DataFrame({"text": distinct, "place": np.arange(len(distinct))})
    return distinct, texts.to_frame("text").join(places, on="text", how="left", maintain_order="left")[
        "place"
    ].to_numpy()
