"""The pairs that are looked at closely are the likeliest ones, whatever the order of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from linkage.matching.worth import hopeful
from linkage.tokens import rules as policy
from linkage.tokens.rules import Rules, field_key


def allowing(pairs_per_person: float, least: int) -> Rules:
    told = policy.load()
    return replace(told, join=replace(told.join, close_pairs_per_person=pairs_per_person, least_pairs=least))


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


@pytest.mark.parametrize(
    ("most", "expected"), [(1, [0, 0, 1]), (2, [1, 0, 1]), (3, [1, 1, 1]), (9, [1, 1, 1])], ids=lambda told: str(told)
)
def test_the_likeliest_pairs_are_looked_at_closely_up_to_what_the_policy_allows(most, expected):
    rules = allowing(1.0, 0)
    agree, both = pairs(rules, DOUBTFUL, STRANGERS, LIKELY)
    assert hopeful(agree, both, most, rules).tolist() == [bool(one) for one in expected]


def test_equally_likely_pairs_stand_or_fall_together():
    rules = allowing(1.0, 0)
    agree, both = pairs(rules, DOUBTFUL, LIKELY, DOUBTFUL, STRANGERS)
    assert hopeful(agree, both, 2, rules).tolist() == [True, True, True, False]


def test_small_files_are_compared_whole():
    rules = allowing(0.1, 100)
    agree, both = pairs(rules, *[STRANGERS] * 100)
    assert hopeful(agree, both, 5, rules).all()


def test_a_pair_that_agrees_on_a_compound_match_key_is_never_given_up():
    rules = allowing(1.0, 0)
    compound = rules.of_kind("compound")[0].name
    agree, both = pairs(rules, LIKELY, (compound,), STRANGERS)
    assert hopeful(agree, both, 1, rules).tolist() == [True, True, False]


def test_what_is_not_given_says_neither_yes_nor_no():
    rules = allowing(1.0, 0)
    known = mask("dob.exact", rules=rules)
    agree = np.array([known, known], dtype=np.uint64)
    # The second pair's surnames could be compared, and differ.
    both = np.array([known, known | mask("surname.exact", rules=rules)], dtype=np.uint64)
    assert hopeful(agree, both, 1, rules).tolist() == [True, False]
