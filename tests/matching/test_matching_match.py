"""Matching on tokens: right links, few lost, in files of every size and shape; a report of counts and no values."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import polars as pl
import pytest
from matching_people import COLUMNS, judged, linked, people, second_record

from linkage.errors import Misuse
from linkage.identifiers.standardise import by_value, standardise
from linkage.matching.match import PAIRS_SCHEMA, match, match_values
from linkage.tokens import rules
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise


@pytest.fixture(scope="module")
def registers() -> tuple[pl.DataFrame, pl.DataFrame]:
    """A cohort of 300 and a register of 2,000 that holds a second record of 200 of them."""
    everyone = people(2_100, seed=7)
    register = second_record(everyone[100:], seed=8).with_columns(record_id="r" + pl.col("record_id"))
    return everyone[:300], register.sample(fraction=1.0, shuffle=True, seed=1)


@pytest.mark.large
@pytest.mark.parametrize("tokens", ["compound", "field", "values"])
@pytest.mark.parametrize("without", [[], ["nino"], ["postcode", "address"]], ids=["all", "no nino", "no address"])
def test_a_cohort_finds_its_people_in_a_register_with_slips_moves_and_gaps(registers, tokens, without):
    cohort, register = registers
    result = linked(cohort, register.drop(without), tokens)
    right, false = judged(result, {f"p{n}": f"rp{n}" for n in range(100, 300)})
    assert false == 0
    assert right >= 0.97 * 200
    assert result.report["estimated_precision"] >= 0.999
    assert abs(result.report["expected_true_pairs"] - 200) < 12


@pytest.mark.parametrize("tokens", ["compound", "field"])
def test_the_same_input_gives_the_same_links_whatever_the_order_of_rows_and_columns(registers, tokens):
    cohort, register = registers
    key = LinkageKey.throwaway()
    left, right = (tokenise(standardise(side), key, tokens) for side in (cohort, register))
    one = match(left, right).pairs
    other = match(left.sample(fraction=1.0, shuffle=True, seed=5).select(reversed(left.columns)), right.reverse()).pairs
    assert one.equals(other)


def test_links_are_one_to_one_and_carry_weight_and_probability(registers):
    pairs = linked(*registers).pairs
    assert dict(pairs.schema) == PAIRS_SCHEMA
    assert pairs["left_id"].is_duplicated().sum() == pairs["right_id"].is_duplicated().sum() == 0
    assert pairs["probability"].is_between(0.9, 1.0).all()
    assert (pairs["weight"] > 0).all()


@pytest.mark.parametrize("tokens", ["compound", "field"])
@pytest.mark.parametrize(("left", "right", "shared"), [(1, 1, 1), (1, 1, 0), (5, 5, 3), (1, 800, 1)])
def test_files_of_every_size_are_matched(tokens, left, right, shared):
    everyone = people(left + right, seed=31)
    register = everyone[left - shared : left - shared + right]
    result = linked(everyone[:left], register, tokens)
    assert judged(result, {name: name for name in register["record_id"]}) == (shared, 0)


@pytest.mark.parametrize("tokens", ["compound", "field"])
def test_nobody_on_either_side_gives_no_links_and_a_report(tokens):
    some, nobody = people(3, seed=1), people(3, seed=1).clear()
    for left, right in ((some, nobody), (nobody, some), (nobody, nobody)):
        result = linked(left, right, tokens)
        assert result.pairs.is_empty()
        assert dict(result.pairs.schema) == PAIRS_SCHEMA
        assert result.report["links"] == 0


def test_columns_null_throughout_say_nothing_and_do_no_harm():
    everyone = people(50, seed=2)
    bare = everyone.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in ("gender", "address", "nino"))
    right, false = judged(linked(everyone, bare), {name: name for name in everyone["record_id"]})
    assert (right, false) == (50, 0)
    nothing = everyone.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in COLUMNS[1:])
    assert linked(everyone, nothing).pairs.is_empty()


def test_two_records_of_one_person_are_both_found_only_when_many_to_one_is_asked_for():
    everyone = people(60, seed=3)
    again = everyone[:10].with_columns(record_id="again" + pl.col("record_id"))
    left = pl.concat([everyone, again])
    truth = {name: name for name in everyone["record_id"]} | {f"againp{n}": f"p{n}" for n in range(10)}
    right, false = judged(linked(left, everyone, many_to_one=True), truth)
    assert (right, false) == (70, 0)
    # One-to-one, neither of two equal records is preferred: the margin rule leaves both.
    right, false = judged(linked(left, everyone), truth)
    assert (right, false) == (50, 0)


def test_many_to_one_leaves_a_record_that_could_be_either_of_two_people_alone():
    everyone = people(40, seed=3)
    # The register holds two people written alike: which of them the record is, nobody can say.
    alike = everyone[:5].with_columns(record_id="alike" + pl.col("record_id"))
    register = pl.concat([everyone, alike])
    for kind in ("compound", "values"):
        told = linked(everyone, register, kind, many_to_one=True)
        assert judged(told, {name: name for name in everyone["record_id"]}) == (35, 0)


def test_tokens_made_as_they_are_needed_give_the_links_of_a_file_of_tokens(registers):
    cohort, register = registers
    one, other = (linked(cohort, register, kind).pairs for kind in ("field", "values"))
    assert one.select("left_id", "right_id").equals(other.select("left_id", "right_id"))
    assert (
        one["weight"] - other["weight"]
    ).abs().max() < 0.5  # u is counted on pairs drawn from differently ordered files


def test_neither_the_order_of_rows_nor_the_throwaway_key_changes_a_link_or_a_weight(registers):
    cohort, register = registers
    one = linked(cohort, register, "values").pairs
    other = linked(cohort.reverse(), register.sample(fraction=1.0, shuffle=True, seed=9), "values").pairs
    assert one.select("left_id", "right_id").equals(other.select("left_id", "right_id"))
    assert (one["weight"] - other["weight"]).abs().max() < 1e-9


def test_settling_the_surest_pairs_first_changes_no_link(registers, monkeypatch):
    settled = linked(*registers, kind="values")
    assert settled.report["settled_first"] > 100
    told = rules.load()
    monkeypatch.setattr(rules, "load", lambda: replace(told, settling=()))
    unsettled = linked(*registers, kind="values")
    assert unsettled.report["settled_first"] == 0
    assert unsettled.pairs.select("left_id", "right_id").equals(settled.pairs.select("left_id", "right_id"))


@pytest.mark.large
@pytest.mark.parametrize("tokens", ["compound", "values"])
def test_ten_thousand_people_of_one_name_do_not_become_a_cross_join(tokens):
    count = 10_000
    same = people(count, seed=12).with_columns(
        forename=pl.lit("John"), surname=pl.lit("Smith"), nino=pl.lit(None, dtype=pl.String), gender=pl.lit("M")
    )
    result = linked(same, same.with_columns(record_id="r" + pl.col("record_id")), tokens)
    assert result.report["candidate_pairs"] < 40 * count
    assert judged(result, {name: "r" + name for name in same["record_id"]}) == (count, 0)
    # With nothing but the name there is nothing to go by: no pair is proposed, and none is linked.
    bare = same.select("record_id", "forename", "surname")
    assert linked(bare, bare, tokens).report["candidate_pairs"] == 0


def test_an_address_of_a_megabyte_links_like_any_other():
    everyone = people(30, seed=13)
    huge = everyone.with_columns(address=pl.col("address") + " Long" * 200_000)
    assert judged(linked(everyone, huge, "values"), {name: name for name in everyone["record_id"]}) == (30, 0)


def test_names_in_other_scripts_are_linked():
    everyone = people(30, seed=14).with_columns(
        forename=pl.Series(["Олег", "محمد", "伟"] * 10), surname=pl.Series(["Жуков", "الأحمد", "王"] * 10)
    )
    other = everyone.with_columns(surname="\u200f" + pl.col("surname"), nino=pl.lit(None, dtype=pl.String))
    for kind in ("compound", "values"):
        assert judged(linked(everyone, other, kind), {name: name for name in everyone["record_id"]}) == (30, 0)


def test_missing_identifiers_sink_nobody():
    everyone = people(300, seed=15)
    place = pl.int_range(pl.len()) % 3
    gaps = everyone.with_columns(
        pl.when(place != number).then(name).alias(name)
        for number, name in enumerate(("nino", "postcode", "date_of_birth"))
    )
    for kind in ("compound", "values"):
        right, false = judged(linked(everyone, gaps, kind), {name: name for name in everyone["record_id"]})
        assert (right >= 297, false) == (True, 0)


def test_the_report_tells_the_weights_and_how_often_strangers_agree(registers):
    told = linked(*registers, kind="values").report
    weights = {(row["component"], row["level"], row["given"]): row for row in told["weights"]}
    for row in weights.values():
        assert row["bits"] == pytest.approx(math.log2(row["m"] / row["u"]))
    for component in ("forename", "surname", "dob", "postcode", "nino"):
        assert weights[component, "exact", None]["bits"] > 0 > weights[component, "differs", None]["bits"]
    # Strangers of one postcode share the address more often than any strangers do.
    assert weights["address", "exact", "postcode"]["bits"] < weights["address", "exact", None]["bits"]
    chance = told["coincidence_by_match_key"]
    assert chance["field-nino-exact"]["expected_pairs"] == 0
    male = sum(row == "M" for row in registers[0]["gender"]) / len(registers[0])
    assert chance["field-gender-exact"]["chance"] == pytest.approx(male**2 + (1 - male) ** 2, abs=0.02)
    assert chance["field-gender-exact"]["expected_pairs"] == pytest.approx(300 * 2_000 * 0.5, rel=0.05)


def test_each_stage_is_told_with_its_counts(registers):
    stages: list[str] = []
    key = LinkageKey.throwaway()
    result = match_values(*(by_value(side) for side in registers), key, progress=stages.append)
    assert stages[0] == "Joining tokens of 300 and 2,000 people"
    assert f"{result.report['candidate_pairs']:,} candidate pairs" in stages[1]


def test_the_report_holds_counts_and_neither_ids_nor_identifiers(registers):
    result = linked(*registers, kind="both")
    text = json.dumps(result.report)
    for value in [*registers[0]["record_id"][:50], *registers[0]["surname"][:50], *registers[0]["nino"][:50]]:
        assert f'"{value}"' not in text
    by_key = {row["match_key"]: row for row in result.report["match_keys"]}
    assert by_key["forename-surname-dob"]["links_agreeing"] > 100
    # Some have no number on the other side: they are not counted against the match-key.
    assert 0 < by_key["nino-dob-initial"]["links_comparable"] < result.report["links"]
    assert 0.9 < by_key["nino-dob-initial"]["match_rate"] <= 1
    assert result.report["match_rate_by_match_key"]["nino-dob-initial"] == by_key["nino-dob-initial"]["match_rate"]
    assert sum(bar["pairs"] for bar in result.report["probability_histogram"]) == result.report["candidate_pairs"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop("person_token"), "no column person_token"),
        (lambda frame: frame.with_columns(pl.col("person_token").bin.encode("hex")), "must be Binary"),
        (lambda frame: frame.with_columns(pl.col("person_token").bin.head(8)), "16 bytes"),
        (lambda frame: frame.with_columns(match_key=pl.lit("shoe-size")), "does not know"),
        (lambda frame: frame.with_columns(record_id=pl.lit(None, dtype=pl.String)), "without a record_id"),
    ],
)
def test_frames_that_are_not_tokens_are_refused_without_showing_a_value(change, message):
    good = tokenise(standardise(people(3, seed=1)), LinkageKey.throwaway(), "compound")
    with pytest.raises(Misuse, match=message) as refusal:
        match(change(good), good)
    assert "shoe-size" not in str(refusal.value)


def test_tokens_under_different_keys_never_match():
    everyone = standardise(people(30, seed=9))
    left, right = (tokenise(everyone, LinkageKey.throwaway(), "compound") for _ in range(2))
    assert match(left, right).report["candidate_pairs"] == 0
