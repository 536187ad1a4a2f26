"""A side of some people has their tokens and no others, in the order asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations

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
    assert side.some(SOME).relation(number).has.sum() <= len(SOME)


def test_pairs_of_people_who_share_a_token_are_counted(side):
    for number in [place for place, key in enumerate(RULES.match_keys) if key.kind == "field" and side.holds(place)]:
        relation = side.relation(number)
        mine = [set(tokens(side, number, person)) for person in range(len(side.ids))]
        shared = sum(len(one & other) for one, other in combinations(mine, 2))
        assert relation.alike == relation.alike == shared


def test_processors_that_ask_for_one_match_key_at_once_get_the_same_tokens():
    key, everybody = LinkageKey.throwaway(), by_value(people(400, seed=6))
    asked = [np.arange(place, 400, 3) for place in range(3)] * 4
    for number in [place for place, one in enumerate(RULES.match_keys) if one.kind == "field"]:
        together, alone = ValueSide(everybody, key, RULES), ValueSide(everybody, key, RULES)
        with ThreadPoolExecutor(len(asked)) as pool:
            relations = list(pool.map(partial(together.relation, number), asked))
        for relation, some in zip(relations, asked, strict=True):
            rows, token = relation.spread(some)
            expected_rows, expected = alone.relation(number, some).spread(some)
            assert rows.tolist() == expected_rows.tolist()
            assert sorted(zip(rows, token, strict=True)) == sorted(zip(expected_rows, expected, strict=True))
