"""How records of one person come to differ: short forms, typing slips, swapped names, dates misread, old addresses."""

from __future__ import annotations

import numpy as np
import polars as pl

from linkage.sandbox import names

_NEXT_KEY = dict(zip("abcdefghijklmnopqrstuvwxyz", "svxdrghjkoljkmnipqwtfyvbces", strict=False))


def mistyped(rng: np.random.Generator, texts: pl.Series) -> pl.Series:
    """Each text with one slip after its first letter: a letter dropped, doubled, replaced or exchanged with the next.

    Texts of fewer than four letters stay as they are: a slip would make another name of them. Where it would do so with
    a longer text (Marcia, Maria), a letter is doubled instead.
    """
    size = len(texts)
    length = texts.str.len_chars().fill_null(0).to_numpy()
    place = (1 + np.floor(rng.random(size) * np.maximum(length - 2, 1))).astype(np.int64)
    frame = pl.DataFrame({"text": texts, "place": place, "kind": rng.integers(0, 4, size), "length": length})
    before = pl.col("text").str.slice(0, pl.col("place"))
    letter = pl.col("text").str.slice(pl.col("place"), 1)
    following = pl.col("text").str.slice(pl.col("place") + 1, 1)
    after = pl.col("text").str.slice(pl.col("place") + 1)
    replaced = letter.str.to_lowercase().replace_strict(_NEXT_KEY, default="e", return_dtype=pl.String)
    doubled = pl.concat_str(before, letter, letter, after)
    slip = (
        pl.when(pl.col("kind") == 0)
        .then(pl.concat_str(before, after))
        .when(pl.col("kind") == 1)
        .then(doubled)
        .when(pl.col("kind") == 2)
        .then(pl.concat_str(before, replaced, after))
        .otherwise(pl.concat_str(before, following, letter, pl.col("text").str.slice(pl.col("place") + 2)))
    )
    safe = pl.when(slip.is_in(names.KNOWN)).then(doubled).otherwise(slip)
    return frame.select(pl.when(pl.col("length") < 4).then("text").otherwise(safe).alias(texts.name)).to_series()


def misread_dates(rng: np.random.Generator, dates: pl.Series) -> pl.Series:
    """Each date with day and month exchanged where that gives another date, else with one digit of the day wrong."""
    frame = pl.DataFrame({"date": dates, "off": rng.integers(1, 4, len(dates))})
    day, month = pl.col("date").dt.day(), pl.col("date").dt.month()
    exchanged = pl.date(pl.col("date").dt.year(), day.clip(1, 12), month)
    unit = day % 10
    near = pl.when(unit > pl.col("off")).then(day - pl.col("off")).otherwise(day + pl.col("off"))
    off = pl.date(pl.col("date").dt.year(), month, pl.when(day >= 30).then(day - 10).otherwise(near))
    slip = pl.when((day <= 12) & (day != month)).then(exchanged).otherwise(off)
    return frame.select(slip.alias(dates.name)).to_series()
