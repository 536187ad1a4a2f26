"""What the peers' scripts share: the command line, the columns that hold something, and one line of JSON at the end."""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

COLUMNS = ("forename", "surname", "date_of_birth", "gender", "address", "postcode", "nino")
Link = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]


def run(description: str | None, link: Link) -> None:
    """Read LEFT and RIGHT, link them, write left_id, right_id, score, one_to_one; print seconds and peak memory."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("left", type=Path)
    parser.add_argument("right", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="Parquet: left_id, right_id, score, one_to_one")
    parser.add_argument("--without", nargs="*", default=[], help="columns to leave out")
    given = parser.parse_args()
    begun = time.perf_counter()
    left, right = (read(path) for path in (given.left, given.right))
    held = [
        column
        for column in COLUMNS
        if column not in given.without
        and all(column in side.columns and side[column].count() for side in (left, right))
    ]
    link(*(clean(side, held) for side in (left, right))).write_parquet(given.out)
    seconds = {"whole": round(time.perf_counter() - begun, 2)}
    print(json.dumps({"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


def read(path: Path) -> pl.DataFrame:
    """A file of people, all text."""
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)


def clean(side: pl.DataFrame, held: list[str]) -> pl.DataFrame:
    """Capitals without punctuation, the NINO's eight characters, the first forename: what any user would do first."""
    plain = [
        pl.col(column)
        .str.to_uppercase()
        .str.replace_all("[^A-Z0-9 -]", " ")
        .str.replace_all(" +", " ")
        .str.strip_chars()
        for column in held
    ]
    frame = side.select("record_id", *plain)
    if "nino" in held:
        frame = frame.with_columns(pl.col("nino").str.replace_all(" ", "").str.head(8))
    if "forename" in held:
        frame = frame.with_columns(pl.col("forename").str.splitn(" ", 2).struct[0].alias("forename"))
    return frame.with_columns(pl.col(held).replace("", None))


def mutual_best(scored: pl.DataFrame) -> pl.DataFrame:
    """`scored` with one_to_one: whether the pair is the only best one of both its records."""
    best = [
        (pl.col("score") == pl.col("score").max().over(side))
        & ((pl.col("score") == pl.col("score").max().over(side)).sum().over(side) == 1)
        for side in ("left_id", "right_id")
    ]
    return scored.with_columns(one_to_one=best[0] & best[1])
