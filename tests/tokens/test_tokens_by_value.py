"""Field tokens made once for each distinct value are the very tokens of the whole file."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from linkage.identifiers.standardise import by_value, standardise
from linkage.tokens import rules
from linkage.tokens.by_value import value_tokens
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

PEOPLE = pl.DataFrame(
    {
        "record_id": [str(n) for n in range(8)],
        "forename": ["Mary Ann", "Maryann", "J.", None, "Lee", "Jordan", "Alex", None],
        "surname": ["O'Brien", "Smith-Jones", "Lee", "Lee", "Jordan", "Lee", None, None],
        "date_of_birth": [
            "1984-05-17",
            "1984-13-17",
            None,
            "2001-02-03",
            "1984-05-17",
            "1966-01-02",
            "1966-01-02",
            None,
        ],
        "gender": ["F", None, "M", "X", "U", "F", "M", None],
        "address": [
            "Flat 2, 14 Mill Lane, Ely",
            "Mill Lane Mill Lane Mill Lane",
            None,
            "The Barn",
            "3",
            "",
            None,
            None,
        ],
        "postcode": ["CB7 4AA", "CB7 4AB", None, "CB7 4AA", "bad", "BFPO 12", None, None],
        "nino": ["AB123456C", "AB123456D", None, "AB123465A", None, None, "CE999999A", None],
    }
)
FIELD = [key.name for key in rules.load().of_kind("field")]


@pytest.fixture(scope="module")
def made() -> tuple[LinkageKey, pl.DataFrame]:
    key = LinkageKey.throwaway()
    told = tokenise(standardise(PEOPLE), key, "field").select(
        "record_id",
        pl.col("match_key").cast(pl.String),
        token=pl.col("person_token").bin.head(8).bin.reinterpret(dtype=pl.UInt64, endianness="big"),
    )
    return key, told


@pytest.mark.parametrize("people", [None, [6, 1, 0], [7], []], ids=["everybody", "some", "nobody's values", "nobody"])
@pytest.mark.parametrize("name", FIELD)
def test_tokens_by_value_are_those_of_tokenise(made, name, people):
    key, told = made
    match_key = next(one for one in rules.load().match_keys if one.name == name)
    rows = np.arange(len(PEOPLE)) if people is None else np.array(people, dtype=np.int64)
    got = value_tokens(by_value(PEOPLE), key, match_key, rules.load().version, None if people is None else rows)
    pairs = {
        (PEOPLE["record_id"][int(row)], int(token))
        for row, place in zip(rows, got.place, strict=True)
        if place >= 0
        for token in got.token[got.start[place] : got.start[place + 1]]
    }
    wanted = told.filter(pl.col("match_key") == name, pl.col("record_id").is_in([str(row) for row in rows]))
    assert pairs == set(wanted.select("record_id", "token").iter_rows())
