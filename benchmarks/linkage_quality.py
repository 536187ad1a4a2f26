"""Linkage on keyed tokens against FEBRL4 with British identifiers: precision, recall and F1 with known truth, and token rate.

Speed is given as a ratio within the run: tokens made a second over the raw rate of the same hash on ready-made text.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import polars_hash as plh

from linkage.identifiers.standardise import standardise
from linkage.matching.match import match
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

DATA = Path(__file__).parent / "data" / "febrl4_uk"
OUT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
FILES = ("half1", "half2", "half3")


@dataclass(frozen=True)
class Score:
    """One file linked once: true and accepted pairs counted against the truth."""

    file: str
    with_nino: bool
    precision: float
    recall: float
    f1: float
    seconds: float


def main() -> None:
    """Link every file with and without the National Insurance number, write the table and the plot."""
    OUT.mkdir(parents=True, exist_ok=True)
    scores = [score(name, with_nino) for with_nino in (True, False) for name in FILES]
    ratio = token_rate_ratio()
    (OUT / "linkage.md").write_text(report(scores, ratio), encoding="utf-8")
    plot(scores, OUT / "linkage.png")
    print(report(scores, ratio))


def score(name: str, with_nino: bool) -> Score:
    """Tokenise both sides under a throwaway key, match on tokens with the matcher's own threshold, compare with truth."""
    left, right = (read(name, side, with_nino) for side in ("left", "right"))
    truth = pl.read_csv(DATA / f"{name}_truth.csv")
    begun = time.perf_counter()
    key = LinkageKey.throwaway()
    sides = [tokenise(standardise(side), key, "field") for side in (left, right)]  # as `linkage link` does
    pairs = match(*sides).pairs
    seconds = time.perf_counter() - begun
    right_pairs = pairs.join(truth, on=["left_id", "right_id"], how="inner").height
    precision, recall = right_pairs / pairs.height, right_pairs / truth.height
    return Score(name, with_nino, precision, recall, 2 * precision * recall / (precision + recall), seconds)


def read(name: str, side: str, with_nino: bool) -> pl.DataFrame:
    """One side of a file, all text."""
    frame = pl.read_csv(DATA / f"{name}_{side}.csv", infer_schema=False)
    return frame if with_nino else frame.drop("nino")


def token_rate_ratio(rows: int = 200_000) -> float:
    """Compound tokens a second over the raw rate of HMAC-SHA-256 on as many ready-made strings, in this run."""
    base = read("half1", "left", True)
    copies = -(-rows // base.height)
    frame = pl.concat(
        [base.with_columns(pl.format("{}-{}", "record_id", pl.lit(n)).alias("record_id")) for n in range(copies)]
    )
    standard = standardise(frame)
    begun = time.perf_counter()
    tokens = tokenise(standard, LinkageKey.throwaway(), "compound")
    ours = tokens.height / (time.perf_counter() - begun)
    ready = pl.DataFrame({"text": pl.int_range(tokens.height, eager=True).cast(pl.String) + "|smith|1980-01-01"})
    begun = time.perf_counter()
    ready.select(plh.col("text").chash.hmac_sha256(key="5a" * 32))  # type: ignore[attr-defined]
    return ours / (tokens.height / (time.perf_counter() - begun))


def report(scores: list[Score], ratio: float) -> str:
    """The table as Markdown, with the command that makes it."""
    lines = [
        "# Linkage on tokens",
        "",
        "Made by `make bench`. FEBRL4 with British identifiers, half overlap: 3,750 x 3,750 records, 2,500 true links. Tokens",
        "only, no labels, the matcher's own threshold. Seconds are of the machine it ran on and mean little elsewhere.",
        "",
        "| File | NINO | Precision | Recall | F1 | Seconds |",
        "|---|---|---|---|---|---|",
    ]
    for one in scores:
        nino = "yes" if one.with_nino else "no"
        lines.append(
            f"| {one.file} | {nino} | {one.precision:.4f} | {one.recall:.4f} | {one.f1:.4f} | {one.seconds:.1f} |"
        )
    for with_nino, label in ((True, "with"), (False, "without")):
        chosen = [one.f1 for one in scores if one.with_nino is with_nino]
        lines.append(f"\nMean F1 {label} NINO: {sum(chosen) / len(chosen):.4f}.")
    lines.append(f"\nCompound tokens are made at {ratio:.0%} of the raw rate of the same hash on ready-made text.")
    lines.append("\n![F1 by file](linkage.png)\n")
    return "\n".join(lines)


def plot(scores: list[Score], path: Path) -> None:
    """F1 by file, with and without the National Insurance number."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.2))
    for with_nino, mark in ((True, "o"), (False, "s")):
        chosen = [one for one in scores if one.with_nino is with_nino]
        label = "with NINO" if with_nino else "without NINO"
        axes.plot([one.file for one in chosen], [one.f1 for one in chosen], mark, markersize=9, label=label)
    axes.margins(x=0.25)
    axes.grid(axis="y", alpha=0.4)
    axes.set_ylim(0.98, 1.0005)
    axes.set_ylabel("F1 on known truth")
    axes.legend(loc="center right")
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
