"""The synthetic borough: reproducible, consistent with itself, and hard to link where a real one is."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from stdnum.gb import nhs, upn

from linkage.errors import Misuse
from linkage.identifiers.validity import valid_nhs_number, valid_nino, valid_postcode, valid_upn
from linkage.sandbox.planting import dated_rows
from linkage.sandbox.plants import ISSUES, PLANTS
from linkage.sandbox.population import SANDBOX_AS_OF, Population, make_population

A_YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def borough() -> Population:
    return make_population(20221003, 300, SANDBOX_AS_OF)


def dated(borough: Population, feed: str) -> pl.DataFrame:
    return dated_rows(borough.evidence.filter(pl.col("feed") == feed), borough.as_of)


def test_the_same_seed_gives_the_same_borough(borough: Population) -> None:
    again = make_population(20221003, 300, SANDBOX_AS_OF)
    for name in ("people", "families", "evidence", "neighbours", "neighbour_evidence"):
        assert_frame_equal(getattr(borough, name), getattr(again, name))


def test_another_seed_gives_other_people(borough: Population) -> None:
    other = make_population(2, 300, SANDBOX_AS_OF)
    shared = set(borough.people["nino"].drop_nulls()) & set(other.people["nino"].drop_nulls())
    assert len(shared) <= 1


def test_two_deliveries_of_one_school_year_are_about_the_same_people(borough: Population) -> None:
    """The sandbox delivers again in December 2022: nobody's birthday may have moved by then."""
    later = make_population(20221003, 300, date(2022, 12, 1))
    same = ["person_id", "case_ref", "family_ref", "forename", "surname", "date_of_birth", "address", "assessed_on"]
    assert_frame_equal(borough.people.select(same), later.people.select(same))


def test_too_few_or_too_many_families_are_refused() -> None:
    for families in (9, 50_001):
        with pytest.raises(Misuse):
            make_population(1, families, SANDBOX_AS_OF)


def test_every_identifier_is_valid_and_belongs_to_one_person(borough: Population) -> None:
    everybody = pl.concat([borough.people, borough.neighbours], how="diagonal_relaxed")
    checks = {"nino_issued": valid_nino, "nhs_number": valid_nhs_number, "upn": valid_upn}
    for column, valid in checks.items():
        known = everybody.drop_nulls(column)
        assert known.height > 200
        assert known.select(valid(pl.col(column)).all()).item()
        assert known[column].n_unique() == known.height
    assert everybody.select(valid_postcode(pl.col("postcode")).all()).item()
    for column in ("case_ref", "person_id"):
        assert borough.people[column].n_unique() == borough.people.height


def test_an_independent_library_agrees_with_the_check_digits(borough: Population) -> None:
    assert all(nhs.is_valid(number) for number in borough.people["nhs_number"].head(300))
    assert all(upn.is_valid(number) for number in borough.people["upn"].drop_nulls().head(300))


def test_nhs_numbers_are_in_the_range_kept_for_tests(borough: Population) -> None:
    assert borough.people["nhs_number"].str.starts_with("999").all()


def test_children_have_no_nino_and_some_adults_ninos_are_unknown(borough: Population) -> None:
    young = borough.people.filter(pl.col("age") < 16)
    grown = borough.people.filter(pl.col("age") >= 16)
    assert young["nino_issued"].null_count() == young.height
    assert grown["nino_issued"].null_count() == 0
    assert 0.06 < grown["nino"].null_count() / grown.height < 0.20


@pytest.mark.parametrize(
    ("hazard", "at_least"),
    [
        ("twin", 20),
        ("namesake", 20),
        ("spouse", 200),
        ("moved", 60),
        ("former_surname", 15),
        ("short_form", 30),
        ("shared_dwelling", 50),
        ("nino_unknown", 30),
    ],
)
def test_every_hazard_is_there_in_numbers(borough: Population, hazard: str, at_least: int) -> None:
    marks = borough.people["variants"].str.split(";").explode()
    assert (marks == hazard).sum() >= at_least


def test_twins_share_a_birthday_and_not_a_name(borough: Population) -> None:
    twins = borough.people.filter("twin").group_by("family_ref").agg(pl.col("date_of_birth", "forename").n_unique())
    assert twins["date_of_birth"].unique().to_list() == [1]
    assert twins["forename"].unique().to_list() == [2]


def test_namesakes_share_a_name_and_not_a_birthday(borough: Population) -> None:
    pairs = (
        borough.people.filter("namesake")
        .group_by("family_ref")
        .agg(pl.col("forename", "surname", "date_of_birth").n_unique())
    )
    assert pairs.select("forename", "surname", "date_of_birth").unique().rows() == [(1, 1, 2)]


def test_nobody_shares_a_forename_with_another_member_of_the_household_but_namesakes(borough: Population) -> None:
    ordinary = borough.people.filter(~pl.col("namesake"))
    assert ordinary.select(pl.struct("family_ref", "forename").is_unique().all()).item()


def test_unrelated_families_share_an_address(borough: Population) -> None:
    homes = borough.people.filter(pl.col("slot") != "elsewhere").group_by("uprn").agg(pl.col("family_ref").n_unique())
    assert (homes["family_ref"] > 1).sum() >= 10


def test_names_are_varied(borough: Population) -> None:
    commonest = borough.people["surname"].value_counts(sort=True)["count"][0]
    assert borough.people["surname"].n_unique() > 150
    assert commonest / borough.people.height < 0.04


def test_truth_is_what_was_planted_and_nothing_else(borough: Population) -> None:
    """N2: two different issues; two indicators of one count once; a household without a dependant never counts."""
    planted = borough.evidence.drop_nulls("meets").join(
        borough.people.select("person_id", "slot", "family_ref"), on="person_id"
    )
    shown = dict(
        planted.filter(pl.col("slot") != "elsewhere").group_by("family_ref").agg(pl.col("meets").unique()).iter_rows()
    )
    elsewhere = dict(
        planted.filter(pl.col("slot") == "elsewhere").group_by("family_ref").agg(pl.col("meets").unique()).iter_rows()
    )
    for family in borough.families.iter_rows(named=True):
        own, theirs = set(shown.get(family["family_ref"], [])), set(elsewhere.get(family["family_ref"], []))
        extra = min(1, len(theirs - own))
        assert family["issue_count"] == len(own) + extra
        assert own <= set(filter(None, family["issues"].split(";"))) <= own | theirs
        assert family["identified"] == (family["eligible"] and len(own) + extra >= 2)


def test_the_hard_families_are_there(borough: Population) -> None:
    families, evidence = borough.families, borough.evidence
    met = evidence.drop_nulls("meets").join(borough.people.select("person_id", "family_ref"), on="person_id")
    twice = met.group_by("family_ref", "meets").len().filter(pl.col("len") > 1)["family_ref"].unique()
    one_issue_twice = families.filter((pl.col("issue_count") == 1) & pl.col("family_ref").is_in(twice.implode()))
    assert one_issue_twice.height >= 5
    assert families.filter(~pl.col("eligible") & (pl.col("issue_count") >= 2)).height >= 10
    two_elsewhere = pl.col("elsewhere_issues").str.contains(";")
    assert families.filter((pl.col("resident_issues") == "") & two_elsewhere & (pl.col("issue_count") == 1)).height >= 5
    saved = ~pl.col("resident_issues").str.contains(";") & (pl.col("elsewhere_issues") != "") & pl.col("identified")
    assert families.filter(saved).height >= 3


def test_every_plant_is_used_somewhere(borough: Population) -> None:
    used = set(borough.evidence["plant"]) | set(borough.neighbour_evidence["plant"])
    assert set(PLANTS) - used <= {"neet"}
    assert {plant.meets or plant.near for plant in PLANTS.values()} == set(ISSUES)


@pytest.mark.parametrize(
    ("feed", "column"),
    [("police", "occurred_on"), ("health", "recorded_on"), ("referrals", "referred_on"), ("police", "outcome_on")],
)
def test_evidence_lies_in_the_last_twelve_months_and_old_evidence_does_not(
    borough: Population, feed: str, column: str
) -> None:
    rows = dated(borough, feed).drop_nulls(column).with_columns(pl.col(column).str.to_date())
    inside = rows.filter(pl.col("meets").is_not_null())[column]
    outside = rows.filter(pl.col("plant").str.starts_with("old_"))[column]
    assert inside.len() > 20
    assert inside.min() > borough.as_of - A_YEAR  # type: ignore[operator]
    assert inside.max() < borough.as_of  # type: ignore[operator]
    assert outside.len() > 3
    assert outside.max() < borough.as_of - A_YEAR - timedelta(days=1)  # type: ignore[operator]


def test_only_children_of_ten_to_seventeen_offend_as_children(borough: Population) -> None:
    rows = dated(borough, "police").filter(pl.col("plant") == "offence_child")
    joined = rows.join(borough.people.select("person_id", "date_of_birth"), on="person_id").with_columns(
        years=(pl.col("occurred_on").str.to_date() - pl.col("date_of_birth")).dt.total_days() / 365.25
    )
    assert joined.height > 0
    assert joined["years"].is_between(10, 18).all()


@pytest.mark.parametrize("as_of", [date(2022, 1, 1), date(2024, 2, 29), date(2022, 8, 31), date(2026, 7, 30)])
def test_a_borough_of_any_day_has_ages_to_that_day(as_of: date) -> None:
    made = make_population(5, 40, as_of)
    born = pl.col("date_of_birth")
    age = (
        as_of.year
        - born.dt.year()
        - (pl.date(2000, born.dt.month(), born.dt.day()) > date(2000, as_of.month, as_of.day))
    )
    assert made.people.select((pl.col("age") == age).all()).item()
    assert made.people.filter((pl.col("slot") == "child1") & pl.col("eligible"))["age"].max() <= 15  # type: ignore[operator]
    assert (made.people["assessed_on"] < as_of).all()
