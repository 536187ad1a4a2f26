"""From weighed pairs to links: a threshold chosen without labels, one link per person, a margin over the next."""

from __future__ import annotations

import polars as pl

from linkage.tokens.rules import Decide


def resolve(weighed: pl.DataFrame, decide: Decide, *, many_to_one: bool = False) -> pl.DataFrame:
    """The accepted links among `weighed` (left, right, bits, probability), one-to-one unless `many_to_one`.

    A link needs a probability above the threshold and `margin_bits` more evidence than the next candidate of either
    person. Once a pair is settled its two people are no longer candidates for others, which can settle more pairs.
    """
    open_pairs = weighed.filter(pl.col("probability") > 0)
    accepted: list[pl.DataFrame] = []
    while len(open_pairs):
        best = open_pairs.filter(
            *_ahead("left", decide.margin_bits),
            *(() if many_to_one else _ahead("right", decide.margin_bits)),
            pl.col("probability") >= decide.threshold,
        )
        if best.is_empty():
            break
        accepted.append(best)
        open_pairs = open_pairs.join(best, on="left", how="anti")
        if not many_to_one:
            open_pairs = open_pairs.join(best, on="right", how="anti")
    links = pl.concat(accepted) if accepted else weighed.clear()
    return _precise(links, decide.precision)


def _ahead(side: str, margin: float) -> tuple[pl.Expr, ...]:
    """Whether a pair is its person's best and ahead of the second best by the margin."""
    top = pl.col("bits").max().over(side)
    second = pl.col("bits").top_k(2).min().over(side)
    alone = pl.len().over(side) == 1
    return (pl.col("bits") == top, alone | (top - second >= margin))


def _precise(links: pl.DataFrame, precision: float) -> pl.DataFrame:
    """The most probable links, as many as keep the expected share of right ones at `precision`."""
    ranked = links.sort("probability", "left", "right", descending=[True, False, False])
    expected = pl.col("probability").cum_sum() / (pl.int_range(pl.len()) + 1)
    return ranked.filter(expected >= precision)
