"""Link two files in clear text with the Python Record Linkage Toolkit: blocks, comparisons, ECM (Fellegi-Sunter).

As its guides do for FEBRL: blocks on several columns together, Jaro-Winkler on names, edit distance on numbers and dates,
exact where a typing error is unlikely; the unsupervised ECM classifier, whose own decision is at 0.5; the best pair each way.
"""

from __future__ import annotations

import polars as pl
import recordlinkage

from benchmarks.peers import common

_HOW = {
    "forename": ("jarowinkler", 0.85),
    "surname": ("jarowinkler", 0.85),
    "date_of_birth": ("damerau_levenshtein", 0.85),
    "address": ("jarowinkler", 0.85),
    "postcode": ("damerau_levenshtein", 0.8),
    "nino": ("damerau_levenshtein", 0.85),
}
_BLOCKS = ("forename", "surname", "date_of_birth", "postcode", "nino")  # one column each: files here are small


def link(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """All compared pairs with their ECM probability; one_to_one: at least 0.5 and the best of both records."""
    frames = [side.to_pandas().set_index("record_id") for side in (left, right)]
    columns = [column for column in left.columns if column != "record_id"]
    indexer = recordlinkage.Index()
    for block in _BLOCKS:
        if block in columns:
            indexer.block(block, block)
    candidates = indexer.index(*frames)
    compare = recordlinkage.Compare(n_jobs=1)
    for column in columns:
        if column in _HOW:
            method, threshold = _HOW[column]
            compare.string(column, column, method=method, threshold=threshold, label=column)
        else:
            compare.exact(column, column, label=column)
    compared = compare.compute(candidates, *frames)
    model = recordlinkage.ECMClassifier()
    model.fit(compared)
    # A pandas index of pairs; the order of the probabilities is that of `compared`.
    probability = model.prob(compared)
    scored = pl.DataFrame(
        {
            "left_id": compared.index.get_level_values(0).to_list(),
            "right_id": compared.index.get_level_values(1).to_list(),
            "score": probability.to_numpy(),
            "agreements": compared.sum(axis=1).to_numpy(),
        }
    )
    # Many pairs share a probability; how many columns agree decides between them.
    ranked = scored.with_columns(score=pl.col("score") + pl.col("agreements") * 1e-9).drop("agreements")
    return common.mutual_best(ranked).with_columns(one_to_one=pl.col("one_to_one") & (pl.col("score") >= 0.5))


if __name__ == "__main__":
    common.run(__doc__, link)
