"""Recognising people between partners, and who is family to whom."""

from __future__ import annotations

from datetime import date

import polars as pl
from early_help_cases import AS_OF, FamilyCase, abuse, attends, care, deliver, months_ago, need, referral

from linkage.early_help.criteria import load
from linkage.early_help.families import members
from linkage.early_help.identify import identify_families
from linkage.early_help.people import case_people, link_people

CRITERIA = load()


def household(number: int) -> FamilyCase:
    return FamilyCase(number).member("parent", "adult", 35).member("child", "child", 12)


def linked(*cases: FamilyCase, feed: str) -> dict[str, str]:
    links = link_people(deliver(list(cases))).filter(pl.col("feed") == feed)
    return dict(links.select("person_ref", "person_id").iter_rows())


def test_a_partners_person_is_recognised_and_a_stranger_is_not() -> None:
    f = need(household(1), "child", months_ago(1))
    stranger = need(FamilyCase(40).member("parent", "adult", 61), "parent", months_ago(1))
    accepted = deliver([f])
    accepted["health"] = pl.concat([accepted["health"], deliver([stranger])["health"]])
    links = link_people(accepted).filter(pl.col("feed") == "health")
    assert links["person_ref"].to_list() == ["health-FAM001-child"]
    assert links["person_id"].to_list() == ["FAM001-child"]


def test_rows_of_one_reference_are_one_person_and_two_references_may_be_too() -> None:
    f = household(1)
    for name in ("child", "child", "child:B"):
        attends(f, name, "2022-summer", 1)
    assert linked(f, feed="schools") == {
        "schools-FAM001-child": "FAM001-child",
        "schools-FAM001-childB": "FAM001-child",
    }


def test_twins_are_two_people() -> None:
    f = household(1)
    twin = f.members["child"] | {"person_ref": "FAM001-twin", "forename": "Zachariah", "gender": "M"}
    f.members["child"] |= {"gender": "M"}
    f.members["twin"] = twin
    need(need(f, "child", months_ago(1)), "twin", months_ago(1), "substance_misuse")
    assert linked(f, feed="health") == {"health-FAM001-child": "FAM001-child", "health-FAM001-twin": "FAM001-twin"}


def test_a_census_child_is_followed_by_reference_unless_the_date_of_birth_contradicts() -> None:
    right, wrong = household(1), household(2)
    care(right, "child", cin_started_on=months_ago(3))
    care(wrong, "child", cin_started_on=months_ago(3), date_of_birth=date(2001, 1, 1))
    assert linked(right, wrong, feed="children_services") == {"FAM001-child": "FAM001-child"}


def test_a_census_child_of_the_other_sex_is_somebody_else() -> None:
    f = care(household(1), "child", cin_started_on=months_ago(3))
    other = {"M": "F", "F": "M"}[f.members["child"]["gender"]]
    f.rows[-1][1]["gender"] = other
    assert linked(f, feed="children_services") == {}


def test_an_unborn_child_is_known_by_the_reference_of_the_parent_who_expects_it() -> None:
    f = FamilyCase(1).member("parent", "expectant_parent", 24)
    care(
        f,
        "parent",
        date_of_birth=None,
        expected_birth_date=date(2022, 12, 20),
        gender="U",
        cin_started_on=months_ago(1),
    )
    assert linked(f, feed="children_services") == {"FAM001-parent": "FAM001-parent"}


def test_a_upn_that_two_pupils_share_is_nobodys() -> None:
    f, g = household(1), household(2)
    for case in (f, g):
        attends(case, "child", "2022-summer", 0, upn="H801200001001")
    care(f, "child", "C-77", upn="H801200001001", cin_started_on=months_ago(3))
    assert linked(f, g, feed="children_services") == {}


def test_a_pupil_the_names_do_not_recognise_is_followed_by_upn() -> None:
    f = attends(household(1), "child", "2022-summer", 5, upn="H801200001001")
    attends(f, "child:B", "2022-spring", 5, upn="H801200001001")
    f.rows[-1][1].update(forename="Known", surname="Otherwise", address="1 Elsewhere Street", postcode="N22 7AA")
    assert linked(f, feed="schools")["schools-FAM001-childB"] == "FAM001-child"


def test_somebody_written_twice_in_the_case_record_is_one_person() -> None:
    """A mother in one family and in another by a second reference: the same NINO and date of birth."""
    case = deliver([household(1), household(2)])["case_management"].with_columns(
        nino=pl.Series(["AB123456C", None, "AB123456C", None]), date_of_birth=pl.lit(date(1990, 5, 5))
    )
    people = dict(case_people(case).iter_rows())
    assert people["FAM002-parent"] == people["FAM001-parent"] == "FAM001-parent"
    assert people["FAM002-child"] == "FAM002-child"


def test_a_shared_address_alone_never_makes_a_family() -> None:
    """feeds.md: two families behind one front door stay two."""
    f, g = household(1), household(2)
    for person in g.members.values():
        person |= {column: f.members["parent"][column] for column in ("address", "postcode")}
    abuse(f, "parent", months_ago(1))
    need(g, "parent", months_ago(1))
    found = identify_families(deliver([f, g]), AS_OF, CRITERIA)
    assert dict(found.families.sort("family_ref").select("family_ref", "issues").iter_rows()) == {
        "FAM001": "domestic_abuse",
        "FAM002": "health",
    }
    assert not found.families["identified"].any()


def test_every_membership_says_what_it_rests_on() -> None:
    f = household(1).member(
        "young", "child", 17, address="9 Hostel Yard", postcode="N1 1AA", education_status="unemployed"
    )
    case = deliver([f])["case_management"]
    listed = members(case, case_people(case), AS_OF, CRITERIA)
    assert set(listed["evidence"]) == {"case record"}
    assert dict(listed.select("person_id", "household").iter_rows()) == {
        "FAM001-parent": "unknown",
        "FAM001-child": "same address",
        "FAM001-young": "another address",
    }


def test_a_child_of_two_homes_shows_its_issues_in_both_families() -> None:
    f, g = household(1), FamilyCase(2).member("parent", "adult", 41)
    g.members["child"] = dict(f.members["child"])
    need(f, "child", months_ago(1))
    found = identify_families(deliver([f, g]), AS_OF, CRITERIA)
    assert found.hits.select("family_ref", "person_id").rows() == [
        ("FAM001", "FAM001-child"),
        ("FAM002", "FAM001-child"),
    ]


def test_a_referral_that_names_the_family_counts_there_even_if_the_person_is_not_recognised() -> None:
    f = referral(household(1), "parent", "health;domestic_abuse", family_ref="FAM001")
    f.rows[-1][1].update(forename="Known", surname="Otherwise", date_of_birth=date(1950, 1, 1), postcode=None)
    found = identify_families(deliver([f]), AS_OF, CRITERIA)
    assert found.families["issues"].to_list() == ["domestic_abuse;health"]


def test_a_referral_of_an_unknown_family_and_person_changes_nothing() -> None:
    f = referral(household(1), "parent", "health;domestic_abuse", family_ref="FAM999")
    f.rows[-1][1].update(forename="Known", surname="Otherwise", date_of_birth=date(1950, 1, 1), postcode=None)
    assert identify_families(deliver([f]), AS_OF, CRITERIA).families["issues"].to_list() == [""]
