"""One research person across waves and authorities, on compound tokens alone (N8, N13)."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from linkage.errors import FlowRefused
from linkage.evaluation.same_person import Named, name_people, no_people, tokens_of_people
from linkage.identifiers.standardise import standardise
from linkage.sandbox import quality
from linkage.sandbox.waves import make_waves
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

IDENTIFIERS = ("forename", "surname", "date_of_birth", "gender", "address", "postcode", "nino")
ADA = dict(zip(IDENTIFIERS, ("Ada", "Lund", "1980-10-04", "F", "1 High St", "SW2 1AA", "AB123456C"), strict=True))
BEN = dict(zip(IDENTIFIERS, ("Ben", "Marsh", "1975-02-11", "M", "2 Low Rd", "SW9 8BB", None), strict=True))
TWIN = {**BEN, "forename": "Tom"}


@pytest.fixture(scope="module")
def key() -> LinkageKey:
    return LinkageKey.throwaway()


def file(key: LinkageKey, **people: dict[str, str | None]) -> pl.DataFrame:
    """The token file of some people by their linker ref."""
    frame = pl.DataFrame(
        [{"record_id": ref, **one} for ref, one in people.items()],
        schema=dict.fromkeys(("record_id", *IDENTIFIERS), pl.String),
    )
    return tokenise(standardise(frame), key, "compound").rename({"record_id": "linker_ref"})


def ids(named: Named) -> dict[str, str]:
    return dict(named.ids.iter_rows())


def test_a_person_of_two_authorities_is_one_research_person(key: LinkageKey) -> None:
    """N8: the second authority knows her under a married name at another address."""
    married = {**ADA, "surname": "Olsen", "address": "9 Elm Row", "postcode": "SE5 0CD"}
    named = name_people([file(key, a=ADA, b=BEN), file(key, c=married, d=TWIN)], no_people())
    told = ids(named)
    assert told["a"] == told["c"]
    assert len(set(told.values())) == 3, "the twin is somebody else"
    assert (named.known_before, named.at_several) == (0, 1)


def test_a_person_of_an_earlier_wave_is_found_under_any_way_they_were_written(key: LinkageKey) -> None:
    """N8: surname changed in the second wave, address in the third."""
    first, renamed = file(key, a=ADA), file(key, b={**ADA, "surname": "Olsen", "nino": None})
    one = name_people([first], no_people())
    two = name_people([renamed], tokens_of_people(first, one.ids))
    known = pl.concat([tokens_of_people(first, one.ids), tokens_of_people(renamed, two.ids)]).unique()
    again = {**ADA, "surname": "Olsen", "address": "9 Elm Row", "postcode": "SE5 0CD", "nino": None}
    three = name_people([file(key, c=again)], known)
    assert ids(one)["a"] == ids(two)["b"] == ids(three)["c"]
    assert three.known_before == 1


def test_two_people_of_one_file_never_become_one_by_way_of_a_third(key: LinkageKey) -> None:
    named = name_people([file(key, a=BEN), file(key, b=BEN, c={**BEN, "nino": "AB123456C"})], no_people())
    assert ids(named)["b"] != ids(named)["c"]


def test_tokens_made_under_another_key_meet_nobody(key: LinkageKey) -> None:
    """N13: without one root for the programme the same person would be two."""
    named = name_people([file(key, a=ADA), file(LinkageKey.throwaway(), b=ADA)], no_people())
    assert named.at_several == 0


def test_the_linker_is_given_tokens_and_nothing_else(key: LinkageKey) -> None:
    """N13"""
    with pytest.raises(FlowRefused, match="N13"):
        name_people([file(key, a=ADA).with_columns(surname=pl.lit("Lund"))], no_people())


def test_nobody_is_an_answer_too(key: LinkageKey) -> None:
    assert name_people([], no_people()).ids.is_empty()
    assert name_people([file(key).clear(), file(key, a=ADA)], no_people()).ids.height == 1


@pytest.mark.large
def test_over_three_waves_of_two_boroughs_the_planted_truth_is_found(key: LinkageKey) -> None:
    """N8: births, joiners, leavers, movers, changed surnames, corrected numbers and dates, people of both boroughs."""
    known, told = no_people(), []
    for wave in make_waves(11, 160, [date(2022, 4, 4), date(2022, 7, 4), date(2022, 10, 3)]):
        files = []
        for name, borough in wave.boroughs.items():
            written = borough.people.select(
                pl.format("{}|{}|{}", pl.lit(str(wave.number)), pl.lit(name), "person_id").alias("record_id"),
                *(pl.col(column).cast(pl.String) for column in IDENTIFIERS),
            )
            files.append(tokenise(standardise(written), key, "compound").rename({"record_id": "linker_ref"}))
        named = name_people(files, known)
        several = wave.everybody.people.height
        assert named.ids.height - named.at_several == named.ids["research_id"].n_unique() == several
        known = pl.concat([known, *(tokens_of_people(one, named.ids) for one in files)]).unique()
        told.append(named.ids.with_columns(person_id=pl.col("linker_ref").str.split("|").list.last()))
    found = quality.identity_of(pl.concat(told))
    assert found["precision"] == 1.0
    assert found["recall"] >= 0.995
