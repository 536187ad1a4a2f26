"""The texts of a part are what its definition says, however they are worked out."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.tokens import parts

words = st.sampled_from(["1", "2", "MILL", "LANE", "FLAT", "É", "ΟΔΟΣ"])
addresses = st.lists(st.none() | st.lists(words, min_size=1, max_size=7).map(" ".join), max_size=12)


@pytest.mark.parametrize(("part", "many"), [("address.pair", 2), ("address.triple", 3)])
@settings(deadline=None)
@given(addresses)
def test_neighbouring_words_are_all_runs_of_an_address_each_once_and_never_of_two_addresses(part, many, told):
    found = pl.DataFrame({"address": told}, schema={"address": pl.String}).select(parts.texts(part)).to_series()
    for address, runs in zip(told, found.to_list(), strict=True):
        each = (address or "").split()
        expected = [" ".join(each[at : at + many]) for at in range(len(each) - many + 1)]
        assert runs == list(dict.fromkeys(expected))
