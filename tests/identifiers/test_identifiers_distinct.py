"""A column by its distinct values holds what the rows hold, however texts and their hashes fall."""

from __future__ import annotations

import runpy

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.identifiers import distinct as distinct_module
from linkage.identifiers.distinct import distinct, numbered


def capitals(texts: pl.Series) -> pl.DataFrame:
    return texts.str.to_uppercase().replace("", None).to_frame("told")


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text("abß", max_size=2))))
def test_each_row_gets_what_is_made_of_its_text(rows):
    column = pl.Series("text", rows, dtype=pl.String)
    assert distinct(column, capitals, ("told",)).rows()["told"].to_list() == capitals(column)["told"].to_list()


def test_each_distinct_text_is_worked_on_once():
    seen: list[str] = []

    def watched(texts: pl.Series) -> pl.DataFrame:
        seen.extend(texts)
        return capitals(texts)

    distinct(pl.Series(["Ann", "Bob", None, "Ann", "Bob", "Ann"]), watched, ("told",))
    assert sorted(seen) == ["Ann", "Bob"]


def test_nobody_can_choose_two_texts_of_one_hash_because_every_process_hashes_under_a_seed_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
):
    seeds, known = [], pl.Series.hash
    monkeypatch.setattr(pl.Series, "hash", lambda texts, seed: seeds.append(seed) or known(texts, seed))
    another = runpy.run_path(distinct_module.__file__)  # as another process would
    for made in (distinct, another["distinct"]):
        made(pl.Series(["Ann"]), capitals, ("told",))
    assert len(set(seeds)) == 2


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), max_size=60))
def test_values_are_numbered_in_the_order_in_which_they_come(values):
    first, number = numbered(np.array(values, dtype=np.uint64))
    assert [values[place] for place in first] == list(dict.fromkeys(values))
    assert [values[first[one]] for one in number] == values


@settings(deadline=None)
@given(st.lists(st.sampled_from([None, *"abcdefghijklmnopqrstuvwxyz"]), min_size=1, max_size=60), st.data())
def test_some_rows_reach_what_they_held_however_few_they_are(rows, data):
    column = pl.Series("text", rows, dtype=pl.String)
    records = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=12))
    some = distinct(column, capitals, ("told",)).reached(np.array(records, dtype=np.int64), ["told"])
    assert some.rows()["told"].to_list() == [capitals(column)["told"][record] for record in records]
    assert len(some.table) == len({rows[record] for record in records} - {None})
