"""Many pairs show few patterns: each is named once, counted, and found again from every pair that shows it."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from linkage.matching.patterns import patterns

mask = st.integers(0, 3) | st.integers(2**63, 2**63 + 2)


@given(st.lists(st.tuples(mask, mask), max_size=60))
def test_each_pattern_stands_once_in_order_with_the_pairs_that_show_it(pairs):
    agree, both = (np.array([pair[place] for pair in pairs], dtype=np.uint64) for place in (0, 1))
    shown = patterns(agree, both)
    told = list(zip(shown.agree.tolist(), shown.both.tolist(), strict=True))
    assert dict(zip(told, shown.count.tolist(), strict=True)) == Counter(pairs)
    assert told == sorted(set(pairs))
    assert [told[place] for place in shown.which] == pairs
