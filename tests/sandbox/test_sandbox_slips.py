"""Slips of the hand: each changes what it should, by as little as it should."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.sandbox.identities import ninos, spread
from linkage.sandbox.names import KNOWN
from linkage.sandbox.slips import misread_dates, mistyped

NAMES = st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=12), min_size=1, max_size=30)
BIRTHDAYS = st.lists(st.dates(date(1930, 1, 1), date(2022, 10, 3)), min_size=1, max_size=30)


@settings(max_examples=60)
@given(NAMES, st.integers(0, 1_000))
def test_a_slip_keeps_the_first_letter_and_nearly_the_length(names: list[str], seed: int) -> None:
    slipped = mistyped(np.random.default_rng(seed), pl.Series(names))
    for before, after in zip(names, slipped, strict=True):
        assert after[0] == before[0]
        assert abs(len(after) - len(before)) <= 1


def test_a_short_name_is_left_alone_for_a_slip_would_make_another_name_of_it() -> None:
    assert mistyped(np.random.default_rng(1), pl.Series(["Eze", "Obi", "Ng", None])).to_list() == [
        "Eze",
        "Obi",
        "Ng",
        None,
    ]


def test_a_slip_never_makes_another_persons_name_of_one() -> None:
    often = pl.Series(["Marcia"] * 500 + ["Jasmine"] * 500 + ["Daniela"] * 500)
    slipped = mistyped(np.random.default_rng(1), often)
    assert not set(slipped) & set(KNOWN)
    assert slipped.n_unique() > 20


@settings(max_examples=60)
@given(BIRTHDAYS, st.integers(0, 1_000))
def test_a_misread_date_is_another_real_date_of_that_year(days: list[date], seed: int) -> None:
    misread = misread_dates(np.random.default_rng(seed), pl.Series(days))
    for before, after in zip(days, misread, strict=True):
        assert after is not None
        assert after != before
        assert after.year == before.year


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 5_000))
def test_spreading_serials_never_makes_two_of_them_meet(seed: int, space: int) -> None:
    assert len(set(spread(np.arange(space), space, seed).tolist())) == space


def test_numbers_far_apart_in_the_series_do_not_collide() -> None:
    serials = np.concatenate([np.arange(5_000), np.arange(1_000_000, 1_005_000), np.arange(3_000_000, 3_005_000)])
    assert len(set(ninos(serials, 7).tolist())) == serials.size
