"""People who look alike on paper must not become one person: twins, a parent's namesake, spouses."""

from __future__ import annotations

import polars as pl
import pytest
from matching_people import half_on_one_side, judged, linked, people, relatives, second_record

pytestmark = pytest.mark.large

KINDS = ("twins", "namesakes", "spouses")
TOKENS = ("compound", "field")
PAIRS = 500


@pytest.mark.parametrize("without", [[], ["nino"]], ids=["with nino", "without nino"])
@pytest.mark.parametrize("tokens", ["compound", "values"])
def test_of_fifteen_hundred_pairs_of_relatives_half_on_one_side_only_none_are_merged(tokens, without):
    files = [half_on_one_side(kind, PAIRS, seed=60 + place) for place, kind in enumerate(KINDS)]
    left, right = (pl.concat(side).drop(without) for side in zip(*files, strict=True))
    result = linked(left, right, tokens)
    both = set(left["record_id"]) & set(right["record_id"])
    right_links, false = judged(result, {name: name for name in both})
    assert false == 0
    assert right_links >= 0.97 * len(both)


@pytest.mark.parametrize("kind", KINDS)
def test_five_hundred_relatives_alone_on_their_side_are_never_linked(kind):
    one, other = relatives(kind, PAIRS + 30, seed=70)
    assert len(one) >= PAIRS
    assert linked(one, second_record(other, seed=71), "values").pairs.is_empty()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokens", TOKENS)
def test_a_relative_alone_in_the_other_file_is_never_linked(kind, tokens):
    """The hard case: the person is in one file, the relative in the other, and nobody else is there to compare with."""
    one, other = relatives(kind, 55, seed=3)
    assert len(one) >= 50
    assert linked(one, other, tokens).pairs.is_empty()


@pytest.mark.parametrize("tokens", TOKENS)
def test_relatives_among_many_people_are_never_linked_and_the_others_are(tokens):
    crowd = people(400, seed=1)
    sides = [crowd, second_record(crowd, seed=2)]
    for place, kind in enumerate(KINDS):
        one, other = relatives(kind, 52, seed=11 + place)
        tag = pl.col("record_id") + kind[0]
        sides = [pl.concat([sides[0], one.with_columns(tag)]), pl.concat([sides[1], other.with_columns(tag)])]
    result = linked(*sides, kind=tokens)
    right, false = judged(result, {name: name for name in crowd["record_id"]})
    assert false == 0
    assert right >= 0.97 * len(crowd)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokens", TOKENS)
def test_when_both_relatives_are_in_both_files_each_is_linked_to_their_own_record(kind, tokens):
    one, other = relatives(kind, 55, seed=5)
    # Each household member has a number of their own here, except that the spouse's record shows the other's.
    both = pl.concat([one, other])
    result = linked(both, both.with_columns(record_id="r" + pl.col("record_id")), tokens)
    right, false = judged(result, {name: "r" + name for name in both["record_id"]})
    assert false == 0
    assert right >= 0.95 * len(both)


def test_twins_slipped_into_large_files_without_households_are_not_linked():
    """Files in which nobody shares a home let the weights decide alone, unless one kind of pair turns up too often."""
    crowd = people(1_500, seed=21)
    one, other = relatives("twins", 55, seed=22)
    bare = pl.lit(None, dtype=pl.String).alias("nino")
    left = pl.concat([crowd, one]).with_columns(bare)
    right = pl.concat([second_record(crowd, seed=23), other]).with_columns(bare)
    result = linked(left, right, "field")
    right_links, false = judged(result, {name: name for name in crowd["record_id"]})
    assert false == 0
    assert right_links >= 0.97 * len(crowd)


def test_five_hundred_pairs_of_relatives_among_strangers_without_households_are_not_merged():
    """The files look like ones without households, where weights may decide: the relatives must give themselves away."""
    crowd = people(3_000, seed=77)
    one, other = relatives("twins", PAIRS, seed=78)
    bare = pl.lit(None, dtype=pl.String).alias("nino")
    left = pl.concat([crowd, one]).with_columns(bare)
    right = pl.concat([second_record(crowd, seed=79), other]).with_columns(bare)
    assert judged(linked(left, right, "values"), {name: name for name in crowd["record_id"]})[1] == 0


@pytest.mark.parametrize("tokens", ["compound", "values"])
def test_siblings_who_share_an_initial_are_not_merged_by_it(tokens):
    base = people(200, seed=81).with_columns(forename=pl.lit("James"), nino=pl.lit(None, dtype=pl.String))
    sibling = base.with_columns(forename=pl.lit("Jonathan"), record_id="q" + pl.col("record_id"))
    assert linked(base, sibling, tokens).pairs.is_empty()
    # Both siblings are here, and the other file knows one of them by the initial only: nobody can say which.
    initial = base.with_columns(forename=pl.lit("J"))
    assert linked(pl.concat([base, sibling]), initial, tokens).pairs.is_empty()


def test_two_different_numbers_are_two_people_when_the_names_are_merely_alike():
    base = people(1, seed=4).with_columns(forename=pl.lit("Ambrosine"), nino=pl.lit("AB123456A"))
    alike = base.with_columns(forename=pl.lit("Ambrosina"), nino=pl.lit("CE987654B"))
    assert linked(base, alike, "values").pairs.is_empty()
    assert len(linked(base, alike.with_columns(nino=pl.lit(None, dtype=pl.String)), "values").pairs) == 1


def test_a_spouse_with_the_others_number_and_a_birthday_alike_is_not_merged():
    base = people(1, seed=4).with_columns(
        forename=pl.lit("Gideon"), gender=pl.lit("M"), date_of_birth=pl.lit("1970-04-09")
    )
    spouse = base.with_columns(forename=pl.lit("Rahel"), gender=pl.lit("F"), date_of_birth=pl.lit("1977-04-09"))
    for kind in ("compound", "values"):
        assert linked(base, spouse, kind).pairs.is_empty()


def test_a_brother_and_sister_with_names_alike_are_two_people():
    base = people(1, seed=4).with_columns(
        forename=pl.lit("Daniel"), gender=pl.lit("M"), nino=pl.lit(None, dtype=pl.String)
    )
    sister = base.with_columns(forename=pl.lit("Danielle"), gender=pl.lit("F"), record_id=pl.lit("q"))
    assert linked(base, sister, "both").pairs.is_empty()


def test_two_known_forenames_one_letter_apart_are_two_people_and_a_slip_is_one():
    base = people(1, seed=4).with_columns(
        forename=pl.lit("Marie"), gender=pl.lit("F"), nino=pl.lit(None, dtype=pl.String)
    )
    for kind in ("compound", "field"):
        assert linked(base, base.with_columns(forename=pl.lit("Maria")), kind).pairs.is_empty()
        assert len(linked(base, base.with_columns(forename=pl.lit("Marue")), kind).pairs) == 1
