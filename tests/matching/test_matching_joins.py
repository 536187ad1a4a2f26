"""Equality joins by sorting give exactly what a join in a database gives, whatever the order of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.matching.joins import across, alike, grouped, met, rarest, runs
from linkage.tokens.rules import Join

held = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)), max_size=60, unique=True)


def of(entries: list[tuple[int, int]]):
    who, token = (np.array([entry[place] for entry in entries], dtype=np.int64) for place in (0, 1))
    return runs(who, token.astype(np.uint64))


@settings(deadline=None)
@given(held, held)
def test_everybody_meets_everybody_of_the_same_token(left, right):
    one, other = of(left), of(right)
    found = sorted(zip(*across(one, other, *met(one, other)), strict=True))
    assert found == sorted((a, b) for a, token in left for b, same in right if token == same)


@settings(deadline=None)
@given(held)
def test_a_token_of_two_people_is_nobodys_alone(left):
    tokens = [token for _, token in left]
    alone = of(left).once()
    found = list(zip(alone.who, alone.token, strict=True))
    assert sorted(found) == sorted(entry for entry in left if tokens.count(entry[1]) == 1)


@settings(deadline=None)
@given(st.lists(st.integers(0, 8)))
def test_equal_tokens_stand_together_and_each_once(tokens):
    order, start = grouped(np.array(tokens, dtype=np.uint64))
    groups = [order[begin:end] for begin, end in zip(start, start[1:], strict=False)]
    assert sorted(place for group in groups for place in group) == list(range(len(tokens)))
    assert [len({tokens[place] for place in group}) for group in groups] == [1] * len(set(tokens))


@given(st.lists(st.integers(0, 8)))
def test_pairs_of_entries_of_one_token_are_counted(tokens):
    pairs = sum(one == other for place, one in enumerate(tokens) for other in tokens[:place])
    assert alike(np.array(tokens, dtype=np.uint64)) == pairs


@pytest.mark.parametrize(
    ("cap", "most", "expected"),
    [
        (10, 100, [1, 2, 3, 4]),  # all: 1 + 1 + 2 + 9 pairs
        (2, 100, [1, 2, 3]),  # what three people hold proposes nothing
        (10, 12, [1, 2, 3]),  # the commonest token does not fit any more
        (10, 1, []),  # two tokens as rare as each other stand or fall together
    ],
)
def test_the_rarest_tokens_propose_first_and_common_ones_never(cap, most, expected):
    left, right = (
        [(1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (6, 4)],
        [(1, 1), (2, 2), (3, 3), (7, 3), (4, 4), (5, 4), (6, 4)],
    )
    one, other = of(left), of(right)
    here, there = rarest(one, other, *met(one, other), Join(cap, 1.0, 0, 18.0, 8.0, 20), most)
    assert one.token[here].tolist() == other.token[there].tolist() == expected


def test_an_order_of_rows_changes_no_pair():
    rng = np.random.default_rng(5)
    who, token = rng.integers(0, 500, 2000), rng.integers(0, 300, 2000).astype(np.uint64)
    again = rng.permutation(2000)
    one, other = runs(who, token), runs(who[again], token[again])
    first, second = (sorted(zip(*across(each, each, *met(each, each)), strict=True)) for each in (one, other))
    assert first == second
