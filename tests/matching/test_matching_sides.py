"""A side of some people has their tokens and no others, in the order asked for."""

from __future__ import annotations

import numpy as np
import pytest
from matching_people import people

from linkage.identifiers.standardise import by_value, standardise
from linkage.matching.sides import Side, ValueSide, from_tokens
from linkage.tokens import rules as policy
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

RULES = policy.load()
SOME = np.array([41, 3, 17, 0])


@pytest.fixture(params=["values", "tokens"])
def side(request: pytest.FixtureRequest) -> Side:
    everybody, key = people(60, seed=4), LinkageKey.throwaway()
    if request.param == "values":
        return ValueSide(by_value(everybody), key, RULES)
    return from_tokens(tokenise(standardise(everybody), key, "field"), RULES, "left")


def tokens(side: Side, number: int, person: int) -> list[int]:
    return sorted(side.relation(number).spread(np.array([person]))[1].tolist())


def test_some_people_keep_their_ids_and_tokens(side):
    part = side.some(SOME)
    assert part.ids.to_list() == side.ids.gather(SOME).to_list()
    for number, key in enumerate(RULES.match_keys):
        if key.kind == "field" and side.holds(number):
            assert part.holds(number)
            assert [tokens(part, number, place) for place in range(len(SOME))] == [
                tokens(side, number, person) for person in SOME
            ]


def test_nobody_else_is_counted_among_some_people(side):
    number = RULES.names.index("field-surname-exact")
    assert side.some(SOME).relation(number).held.sum() <= len(SOME)
