"""From weighed pairs to links: a threshold chosen without labels, one link per person, a margin over the next."""

from __future__ import annotations

import numpy as np
import polars as pl

from linkage.tokens.rules import Decide


def resolve(weighed: pl.DataFrame, decide: Decide, *, many_to_one: bool = False) -> pl.DataFrame:
    """The accepted links among `weighed` (left, right, bits, probability), one-to-one unless `many_to_one`.

    A link needs a probability above the threshold and `margin_bits` more evidence than the next candidate of either
    person; with `many_to_one`, than the next candidate of the left person. Once a pair is settled its two people are
    no longer candidates for others, which can settle more pairs.
    """
    # Only what comes within the margin of an acceptable pair can rival one.
    least = decide.threshold / (decide.threshold + (1 - decide.threshold) * 2**decide.margin_bits)
    open_pairs = weighed.filter(pl.col("probability") >= least)
    rivalled = _repeated(open_pairs["left"]) | (False if many_to_one else _repeated(open_pairs["right"]))
    accepted = [open_pairs.filter(~rivalled, pl.col("probability") >= decide.threshold)]
    open_pairs = open_pairs.filter(rivalled)
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
    return _precise(pl.concat(accepted), decide.precision)


def _repeated(people: pl.Series) -> pl.Series:
    """Whether a row number occurs more than once."""
    count = np.bincount(people.to_numpy())
    return pl.Series(count[people.to_numpy()] > 1, dtype=pl.Boolean)


def _ahead(side: str, margin: float) -> tuple[pl.Expr, ...]:
    """Whether a pair is its person's best and ahead of the second best by the margin."""
    top = pl.col("bits").max().over(side)
    # The best among the others: a person's pairs without the one best, which stays when it is shared.
    others = pl.col("bits").filter(pl.col("bits") < pl.col("bits").max()).max().over(side)
    alone = pl.col("bits").filter(pl.col("bits") == pl.col("bits").max()).len().over(side) == 1
    return (pl.col("bits") == top, alone, others.is_null() | (top - others >= margin))


def _precise(links: pl.DataFrame, precision: float) -> pl.DataFrame:
    """The most probable links, as many as keep the expected share of right ones at `precision`, in no order.

    Equally probable links are taken or left together, so that the order of rows changes nothing.
    """
    if links["probability"].sum() >= precision * len(links):
        return links  # without the less probable ones the share would only grow
    ranked = links.sort("probability", "left", "right", descending=[True, False, False]).with_columns(
        expected=pl.col("probability").cum_sum() / (pl.int_range(pl.len()) + 1)
    )
    return ranked.filter(pl.col("expected").last().over("probability") >= precision).drop("expected")
