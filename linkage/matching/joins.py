"""Equality joins of 64-bit tokens by sorting: several times faster than hash tables, and every join comes out in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linkage.tokens.rules import Join

Numbers = NDArray[np.int64]
Tokens = NDArray[np.uint64]


@dataclass(frozen=True)
class Runs:
    """Each different token in ascending order, and who holds it: `who[start[n]:start[n + 1]]`."""

    token: Tokens
    who: Numbers
    start: Numbers

    @property
    def count(self) -> Numbers:
        """How many hold each token."""
        return np.diff(self.start)

    def once(self) -> Runs:
        """The tokens with exactly one holder."""
        alone = np.flatnonzero(self.count == 1)
        return Runs(self.token[alone], self.who[self.start[alone]], np.arange(len(alone) + 1))


def runs(who: Numbers, token: Tokens) -> Runs:
    """Holders and their tokens (an entry each), by token."""
    order, start = grouped(token)
    return Runs(token[order[start[:-1]]], who[order], start)


def grouped(token: Tokens) -> tuple[Numbers, Numbers]:
    """An order of entries in which equal tokens stand together, and where each different token's begin, with the end."""
    order = np.argsort(token)
    ranked = token[order]
    begins = np.flatnonzero(ranked[1:] != ranked[:-1]) + 1
    return order, np.concatenate([np.zeros(min(1, len(token)), dtype=np.int64), begins, [len(token)]])


def alike(token: Tokens) -> float:
    """Pairs of entries that are the same token."""
    ranked = np.sort(token)  # three times faster than an order of entries
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)])
    held = np.diff(ends, prepend=-1).astype(np.float64)
    return float((held * (held - 1)).sum()) / 2


def met(one: Runs, other: Runs) -> tuple[Numbers, Numbers]:
    """Where the tokens that both have stand in each."""
    at = np.searchsorted(other.token, one.token)
    here = np.flatnonzero(at < len(other.token))
    here = here[other.token[at[here]] == one.token[here]]
    return here, at[here]


def across(one: Runs, other: Runs, here: Numbers, there: Numbers) -> tuple[Numbers, Numbers]:
    """Every holder in `one` beside every holder in `other` of the tokens at these places."""
    left, right = one.count[here], other.count[there]
    size = left * right
    rows = np.repeat(np.arange(len(size)), size)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(size) - size, size)
    first, second = np.divmod(within, right[rows])
    return one.who[one.start[here][rows] + first], other.who[other.start[there][rows] + second]


def rarest(one: Runs, other: Runs, here: Numbers, there: Numbers, join: Join, most: float) -> tuple[Numbers, Numbers]:
    """Of these places, those of the rarest tokens that together propose at most `most` pairs, common ones never.

    Equally common tokens stand or fall together, so that the order of rows changes nothing.
    """
    left, right = one.count[here], other.count[there]
    few = np.maximum(left, right) <= join.candidate_cap
    here, there, size = here[few], there[few], (left * right)[few]
    by_size = np.bincount(size)
    allowed = np.cumsum(by_size * np.arange(len(by_size))) <= most
    kept = allowed[size]
    return here[kept], there[kept]
