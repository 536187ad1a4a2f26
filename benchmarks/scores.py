"""Links against the truth: precision, recall, F1, and the best F1 that hindsight could have chosen a threshold for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Score:
    """Links that were made, share of them right, share of the true ones found, and F1; `best_f1` None without scores."""

    links: int
    precision: float
    recall: float
    f1: float
    best_f1: float | None = None

    def told(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def score(links: pl.DataFrame, truth: pl.DataFrame) -> Score:
    """`links` (left_id, right_id; with `score` and `one_to_one` all scored pairs are given, and these are taken)."""
    marked = links.join(truth.select("left_id", "right_id", true=pl.lit(True)), on=["left_id", "right_id"], how="left")
    marked = marked.with_columns(pl.col("true").fill_null(False))
    made = marked.filter("one_to_one") if "one_to_one" in marked.columns else marked
    right = int(made["true"].sum())
    precision = right / made.height if made.height else 0.0
    recall = right / truth.height
    f1 = 2 * right / (made.height + truth.height)
    return Score(
        made.height, precision, recall, f1, _best(marked, truth.height) if "one_to_one" in links.columns else None
    )


def _best(marked: pl.DataFrame, true_pairs: int) -> float:
    """The highest F1 over all thresholds of the score, each record's best pair only."""
    best = marked.filter(*(pl.col("score") == pl.col("score").max().over(side) for side in ("left_id", "right_id")))
    steps = best.group_by("score").agg(pl.len(), pl.col("true").sum()).sort("score", descending=True)
    f1 = 2 * steps["true"].cum_sum() / (steps["len"].cum_sum() + true_pairs)
    return float(f1.max() or 0.0)  # type: ignore[arg-type]


def read(path: Path) -> pl.DataFrame:
    """A CSV or Parquet table, ids as text."""
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)


def read_links(path: Path) -> pl.DataFrame:
    """The links a linker wrote, of this project or a peer."""
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    return frame.with_columns(pl.col("left_id", "right_id").cast(pl.String))
