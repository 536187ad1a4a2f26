"""The pairs that are looked at closely are the likeliest ones, whatever the order of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from linkage.matching.worth import hopeful
from linkage.tokens import rules as policy
from linkage.tokens.rules import Rules, field_key


def always(pairs: int) -> Rules:
    told = policy.load()
    return replace(told, join=replace(told.join, least_pairs=pairs))


def mask(*parts: str, rules: Rules) -> int:
    return sum(1 << rules.names.index(part if part in rules.names else field_key(part)) for part in parts)


def pairs(rules: Rules, *agreeing: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of people who have every identifier and agree on these."""
    everything = mask(*(key.name for key in rules.of_kind("field")), rules=rules)
    agree = [mask(*parts, rules=rules) for parts in agreeing]
    return np.array(agree, dtype=np.uint64), np.full(len(agree), everything, dtype=np.uint64) | np.array(
        agree, np.uint64
    )


LIKELY, DOUBTFUL, STRANGERS = (
    ("dob.exact", "surname.exact", "postcode.exact"),
    ("dob.exact", "gender.exact"),
    ("gender.exact",),
)


MILLION = (1_000_000, 20_000)  # a pair needs 20 bits


@pytest.mark.parametrize(("near_bits", "expected"), [(5, [0, 0, 1]), (25, [1, 0, 1]), (60, [1, 1, 1])])
def test_a_pair_is_given_up_that_lacks_more_than_near_misses_can_bring(near_bits, expected):
    rules = always(0)
    agree, both = pairs(rules, DOUBTFUL, STRANGERS, LIKELY)
    assert hopeful(agree, both, MILLION, near_bits, rules).tolist() == [bool(one) for one in expected]


def test_the_larger_the_file_the_more_a_pair_needs():
    near_bits, rules = 25, always(0)
    agree, both = pairs(rules, DOUBTFUL, LIKELY)
    assert hopeful(agree, both, (1_000_000, 1_000_000), near_bits, rules).tolist() == [True, True]
    assert hopeful(agree, both, (1_000_000_000, 1_000_000), near_bits, rules).tolist() == [False, True]


def test_the_likeliest_pairs_are_never_given_up_and_equally_likely_ones_stand_together():
    near_bits, rules = -100, always(2)
    agree, both = pairs(rules, DOUBTFUL, LIKELY, DOUBTFUL, STRANGERS)
    assert hopeful(agree, both, MILLION, near_bits, rules).tolist() == [True, True, True, False]


def test_small_files_are_compared_whole():
    near_bits, rules = -100, always(100)
    agree, both = pairs(rules, *[STRANGERS] * 100)
    assert hopeful(agree, both, MILLION, near_bits, rules).all()


def test_a_pair_that_agrees_on_a_compound_match_key_is_never_given_up():
    near_bits, rules = 5, always(0)
    compound = rules.of_kind("compound")[0].name
    agree, both = pairs(rules, LIKELY, (compound,), STRANGERS)
    assert hopeful(agree, both, MILLION, near_bits, rules).tolist() == [True, True, False]


def test_what_is_not_given_says_neither_yes_nor_no():
    near_bits, rules = 6.5, always(0)
    known = mask("dob.exact", rules=rules)
    agree = np.array([known, known], dtype=np.uint64)
    # The second pair's surnames could be compared, and differ.
    both = np.array([known, known | mask("surname.exact", rules=rules)], dtype=np.uint64)
    assert hopeful(agree, both, MILLION, near_bits, rules).tolist() == [True, False]
