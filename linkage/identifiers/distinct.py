"""Each distinct text of a column once: what is worked out for it is looked up by every row that holds it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

NOTHING = -1
_SEED = secrets.randbits(64)


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


def numbered(values: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Where each different value stands first, in that order; and for each value the place of its own among them."""
    import pyarrow as pa

    # From buffer to buffer: given an array, pyarrow imports pandas to see whether it is one of its.
    told = pa.Array.from_buffers(pa.uint64(), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
    places = told.dictionary_encode().indices
    number = np.frombuffer(places.buffers()[1], dtype=np.int32, count=len(values))
    return np.flatnonzero(np.diff(np.maximum.accumulate(number), prepend=-1)), number


def _numbered(texts: pl.Series) -> tuple[pl.Series, NDArray[np.int32]]:
    """The distinct texts, and for each text the place of its own among them.

    Told apart by 64-bit hashes under a seed of this process, so that nobody can choose two texts of one hash; among ten
    million texts, two meet by chance once in some 400,000 files.
    """
    first, number = numbered(texts.hash(_SEED).to_numpy())
    return texts.gather(first), number
