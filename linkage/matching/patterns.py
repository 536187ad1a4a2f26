"""The distinct patterns of agreement among many pairs: some thousands, however many pairs there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linkage.identifiers.distinct import numbered

Masks = NDArray[np.uint64]  # a pair's match-keys, one bit each
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Patterns:
    """The distinct combinations of masks, how many pairs show each, and which one each pair shows."""

    agree: Masks
    both: Masks
    count: NDArray[np.int64]
    which: NDArray[np.int64]


def patterns(agree: Masks, both: Masks) -> Patterns:
    """The patterns that pairs show, in ascending order."""
    (_, one), (others, other) = numbered(agree), numbered(both)
    first, which = numbered(one.astype(np.uint64) * np.uint64(max(len(others), 1)) + other.astype(np.uint64))
    order = np.lexsort((both[first], agree[first]))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    ranked, first = rank[which], first[order]
    return Patterns(agree[first], both[first], np.bincount(ranked, minlength=len(first)), ranked)
