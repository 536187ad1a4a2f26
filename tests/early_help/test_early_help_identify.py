"""Identification as a whole: silence, ranking, invitations, row order, corrections, and what reasons may say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from early_help_cases import (
    AS_OF,
    FamilyCase,
    abuse,
    attends,
    benefit,
    care,
    deliver,
    months_ago,
    need,
    offence,
    order,
    referral,
    tenancy,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.early_help.criteria import ISSUES, load
from linkage.early_help.identify import Identification, identify_families
from linkage.early_help.need_to_know import partner_list
from linkage.early_help.ranking import rank
from linkage.errors import FlowRefused, Misuse

CRITERIA = load()


def household(number: int, **more: object) -> FamilyCase:
    f = FamilyCase(number, **more)  # type: ignore[arg-type]
    return f.member("parent", "adult", 35).member("partner", "adult", 37).member("child", "child", 12)


def identify(*cases: FamilyCase, feeds: tuple[str, ...] = ()) -> Identification:
    return identify_families(deliver(list(cases), *feeds), AS_OF, CRITERIA)


def line(found: Identification, case: FamilyCase) -> dict[str, object]:
    return found.families.row(by_predicate=pl.col("family_ref") == case.ref, named=True)


def town() -> list[FamilyCase]:
    """Eight families that between them use every feed."""
    cases = [household(n) for n in range(8)]
    need(abuse(offence(cases[0], "parent", months_ago(3)), "parent", months_ago(2)), "child", months_ago(1))
    benefit(need(cases[1], "parent", months_ago(5)), "partner", "JSA")
    tenancy(order(cases[2], "partner", "licence"), "parent", 12)
    care(attends(cases[3], "child", "2022-summer", 30), "child", section47_on=months_ago(4))
    referral(cases[4], "parent", "health;work_finance")
    abuse(cases[5], "parent", months_ago(9))
    care(need(cases[6], "parent", months_ago(2)), "child", cin_started_on=months_ago(7))
    return cases


@pytest.fixture(scope="module")
def found() -> Identification:
    """The town, identified once."""
    return identify(*town())


# --- not supplied is not "not met" --------------------------------------------------------------------------


def test_an_issue_whose_feed_did_not_arrive_is_not_supplied_rather_than_not_met() -> None:
    """N2: silence is not an answer."""
    f = need(household(1), "parent", months_ago(1))
    told = line(identify(f, feeds=("health", "schools", "housing", "jobcentre")), f)
    assert told["not_supplied"] == "crime_asb;school_attendance;children_need_help;domestic_abuse"
    assert "not supplied: crime_asb, school_attendance" in str(told["reasons"])


def test_an_issue_that_one_of_its_feeds_shows_is_met_whatever_else_is_missing() -> None:
    f = order(household(1), "parent", "licence")
    told = line(identify(f, feeds=("probation",)), f)
    assert told["issues"] == "crime_asb"
    assert "crime_asb" not in str(told["not_supplied"])


def test_a_child_of_school_age_whom_no_school_reports_on_is_not_supplied() -> None:
    seen, unseen = attends(household(1), "child", "2022-summer", 0), household(2)
    found = identify(seen, unseen)
    assert line(found, seen)["not_supplied"] == ""
    assert line(found, unseen)["not_supplied"] == "school_attendance"


def test_a_family_with_a_baby_only_has_no_attendance_to_supply() -> None:
    f = FamilyCase(3).member("parent", "adult", 25).member("baby", "child", 1)
    assert line(identify(f), f)["not_supplied"] == ""


# --- ranking and invitations --------------------------------------------------------------------------------


def test_more_different_issues_come_first_then_more_points() -> None:
    """N4: the most pressing needs first."""
    three = benefit(
        need(tenancy(order(household(1), "parent", "licence"), "parent"), "parent", months_ago(9)), "parent"
    )
    pressing = need(abuse(household(2), "parent", months_ago(9)), "parent", months_ago(9))
    mild = need(benefit(household(3), "parent"), "parent", months_ago(1), "long_term_condition")
    found = identify(mild, pressing, three)
    assert found.families["family_ref"].to_list() == [three.ref, pressing.ref, mild.ref]
    assert found.families["rank"].to_list() == [1, 2, 3]


def test_a_family_without_dependants_ranks_below_every_identified_one() -> None:
    alone = FamilyCase(1).member("parent", "adult", 50)
    offence(need(abuse(alone, "parent", months_ago(1)), "parent", months_ago(1)), "parent", months_ago(1))
    two = need(benefit(household(2), "parent"), "parent", months_ago(11))
    found = identify(alone, two)
    assert found.families["family_ref"].to_list() == [two.ref, alone.ref]


def test_between_equals_the_later_evidence_then_the_longer_wait_decides() -> None:
    def same(number: int, on: date, **more: object) -> FamilyCase:
        return need(abuse(household(number, **more), "parent", months_ago(8)), "parent", on)

    early, late = same(1, months_ago(5)), same(2, months_ago(2))
    waiting = same(3, months_ago(5), assessed_on=date(2021, 5, 1))
    found = identify(early, late, waiting)
    assert found.families["family_ref"].to_list() == [late.ref, waiting.ref, early.ref]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=12)
)
@settings(max_examples=60)
def test_ranks_are_one_to_n_and_never_put_fewer_issues_above_more(rows: list[tuple[bool, int, int, int]]) -> None:
    """N4: whatever the figures, no two ranks alike, identified first, issues before points."""
    families = pl.DataFrame(
        {
            "family_ref": [f"F{n}" for n in range(len(rows))],
            "identified": [row[0] for row in rows],
            "issue_count": [row[1] for row in rows],
            "points": [row[2] for row in rows],
            "latest_evidence": [AS_OF - timedelta(days=row[3]) if row[3] else None for row in rows],
            "assessed_on": [date(2022, 1, 1)] * len(rows),
        },
        schema_overrides={"latest_evidence": pl.Date},
    )
    ranked = rank(families, CRITERIA)
    keys = [(not one["identified"], -one["issue_count"], -one["points"]) for one in ranked.iter_rows(named=True)]
    assert keys == sorted(keys)
    assert ranked["rank"].to_list() == list(range(1, len(rows) + 1))
    assert rank(families.reverse(), CRITERIA).equals(ranked)


def test_invitations_stop_at_capacity_and_pass_over_families_who_joined_already() -> None:
    """N4: by rank, and only whom an invitation can still reach."""
    cases = [
        need(abuse(household(n, status=status), "parent", months_ago(n + 1)), "parent", months_ago(n + 1))
        for n, status in enumerate(["joined", "assessed", "closed", "invited", "assessed"])
    ]
    two = replace(CRITERIA, invitations=replace(CRITERIA.invitations, capacity=2))
    families = identify_families(deliver(cases), AS_OF, two).families
    assert families.filter("invited")["family_ref"].to_list() == [cases[1].ref, cases[3].ref]
    assert families.filter("identified").height == 5


# --- the same answer, whatever the order --------------------------------------------------------------------


@given(st.integers(0, 2**32))
@settings(max_examples=2)
def test_the_order_of_rows_changes_nothing(found: Identification, seed: int) -> None:
    """Determinism: same rows, same answer, bit for bit."""
    accepted = deliver(town())
    shuffled = {feed: frame.sample(fraction=1.0, shuffle=True, seed=seed) for feed, frame in reversed(accepted.items())}
    other = identify_families(shuffled, AS_OF, CRITERIA)
    assert found.families.equals(other.families)
    assert found.hits.equals(other.hits)
    assert found.people.equals(other.people)
    assert found.links.drop("probability").equals(other.links.drop("probability"))


def test_every_assessed_family_and_member_is_listed_once(found: Identification) -> None:
    """N5: the evaluation's cohort is built from these lists."""
    assert sorted(found.families["family_ref"]) == [case.ref for case in town()]
    assert found.people.height == 24
    assert found.people.select("person_id", "family_ref").is_unique().all()
    assert found.families.filter("identified").height == 6


def test_a_family_assessed_after_the_date_is_not_assessed_yet() -> None:
    later = household(2, assessed_on=AS_OF + timedelta(days=1))
    assert identify(household(1), later).families["family_ref"].to_list() == ["FAM001"]


# --- evidence and reasons -----------------------------------------------------------------------------------


def test_each_piece_of_evidence_carries_feed_delivery_date_window_and_criteria_version() -> None:
    f = abuse(household(1), "parent", months_ago(3))
    found = identify_families(deliver([f]), AS_OF, CRITERIA, {"police": "police_2022-10-03.csv"})
    assert found.hits.to_dicts() == [
        {
            "family_ref": f.ref,
            "person_id": "FAM001-parent",
            "role": "adult",
            "issue": "domestic_abuse",
            "indicator": "victim_of_abuse",
            "feed": "police",
            "delivery": "police_2022-10-03.csv",
            "referrer": None,
            "evidence_date": date(2022, 7, 3),
            "window": "12 months to 2022-10-03",
            "criteria": CRITERIA.version,
            "counted": True,
        }
    ]


def test_a_referral_is_shown_with_the_service_that_made_it(found: Identification) -> None:
    """N2: a person can read who referred, and challenge it."""
    told = str(line(found, town()[4])["reasons"])
    assert "health: direct referral by GP surgery (1 person, 12 months to 2022-10-03)" in told


def test_each_familys_place_is_told_in_one_sentence_with_the_figures_it_rests_on(found: Identification) -> None:
    """N4: no black box; the first figure in the order that differs is what sets a family before the next."""
    ranked = found.families.sort("rank")
    first, last = ranked.row(0, named=True), ranked.row(-1, named=True)
    assert first["position"] == (
        "rank 1 of 8: identified, 3 different issues, 10 points, latest evidence 2022-09-03, assessed on 2022-01-10; "
        "ahead of the next by more different issues"
    )
    assert last["position"].endswith("assessed on 2022-01-10; last")
    assert all(f"rank {one['rank']} of 8" in one["position"] for one in ranked.iter_rows(named=True))


def test_another_order_is_a_line_of_the_criteria_file() -> None:
    """N4: adjustable in policy; who waits longest may come before who shows most."""
    by_waiting = replace(CRITERIA, ranking=replace(CRITERIA.ranking, order=("waiting",)))
    waiting = need(abuse(household(1, assessed_on=date(2020, 1, 1)), "parent", months_ago(9)), "parent", months_ago(9))
    pressing = benefit(need(abuse(household(2), "parent", months_ago(1)), "parent", months_ago(1)), "parent")
    found = identify_families(deliver([pressing, waiting]), AS_OF, by_waiting).families.sort("rank")
    assert found["family_ref"].to_list() == [waiting.ref, pressing.ref]
    assert found["position"][0].endswith("ahead of the next by a longer wait since assessment")


def test_reasons_name_issues_counts_and_windows_and_nobody(found: Identification) -> None:
    """N20: a reason can be read out without saying whose it is."""
    cases = town()
    told = line(found, cases[0])
    assert str(told["reasons"]).startswith("crime_asb: proven offence by a parent (1 person, 12 months to 2022-10-03);")
    names = {person[part] for case in cases for person in case.members.values() for part in ("forename", "surname")}
    text = " ".join(found.families["reasons"])
    assert not [name for name in names if name in text]


def test_reasons_of_an_unidentified_family_say_what_is_missing() -> None:
    f = attends(need(household(1), "parent", months_ago(1)), "child", "2022-summer", 0)
    assert str(line(identify(f), f)["reasons"]).endswith("1 of 2 different issues needed")


def test_a_parent_elsewhere_beyond_the_limit_is_told_in_the_reasons_and_kept_as_evidence() -> None:
    f = household(1).member("away", "non_resident_parent", 40, address="2 Far Lane", postcode="CR0 2YR")
    found = identify(need(offence(f, "away", months_ago(2)), "away", months_ago(2)))
    assert "not counted: 1 of a non-resident parent beyond the limit" in str(line(found, f)["reasons"])
    assert sorted(found.hits["counted"]) == [False, True]


# --- refusals -----------------------------------------------------------------------------------------------


def test_criteria_are_refused_on_a_date_they_were_not_in_force() -> None:
    with pytest.raises(FlowRefused, match="N2"):
        identify_families(deliver([household(1)]), date(2015, 3, 31), CRITERIA)


def test_without_case_records_there_is_nobody_to_assess() -> None:
    accepted = deliver([household(1)])
    del accepted["case_management"]
    with pytest.raises(Misuse, match="case_management"):
        identify_families(accepted, AS_OF, CRITERIA)


# --- need to know -------------------------------------------------------------------------------------------


def test_a_partner_is_told_its_own_references_of_invited_families_only() -> None:
    """N3, N20: no issue, no other partner's evidence, nobody it did not name."""
    invited = need(abuse(household(1), "parent", months_ago(1)), "child", months_ago(1))
    not_invited = need(household(2), "parent", months_ago(1))
    told = partner_list(identify(invited, not_invited), "health", CRITERIA)
    assert told.to_dicts() == [{"person_ref": "health-FAM001-child"}]


@pytest.mark.parametrize("feed", ["police", "case_management", "nobody"])
def test_a_partner_without_an_entry_is_told_nothing(found: Identification, feed: str) -> None:
    with pytest.raises(FlowRefused, match="N3"):
        partner_list(found, feed, CRITERIA)


def test_the_six_issues_are_the_notices() -> None:
    assert tuple(CRITERIA.issues) == ISSUES
