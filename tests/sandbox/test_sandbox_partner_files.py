"""What partners deliver in the sandbox: the shapes of the contracts, people to recognise, rows to quarantine."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import date

import polars as pl
import pytest
from defusedxml import ElementTree

from linkage.feeds import FEEDS, loading
from linkage.feeds.check import check_delivery
from linkage.sandbox.attendance import attendance_rows
from linkage.sandbox.bad_deliveries import BadDelivery, bad_deliveries
from linkage.sandbox.canaries import canaries, canary_patterns
from linkage.sandbox.partner_files import Delivery, FeedTruth, feed_truth, partner_deliveries
from linkage.sandbox.population import SANDBOX_AS_OF, Population, make_population
from linkage.sandbox.terms import finished_terms

TABLES = [feed for feed in FEEDS if feed != "children_services"]


@pytest.fixture(scope="module")
def borough() -> Population:
    return make_population(20221003, 300, SANDBOX_AS_OF)


@pytest.fixture(scope="module")
def delivered(borough: Population) -> dict[str, Delivery]:
    return partner_deliveries(borough, SANDBOX_AS_OF)


@pytest.fixture(scope="module")
def truth(borough: Population) -> FeedTruth:
    return feed_truth(borough)


def read(delivery: Delivery) -> pl.DataFrame:
    return pl.read_csv(delivery.content, infer_schema=False)


def test_the_same_borough_and_day_give_the_same_bytes(borough: Population, delivered: dict[str, Delivery]) -> None:
    again = partner_deliveries(make_population(20221003, 300, SANDBOX_AS_OF), SANDBOX_AS_OF)
    assert again == delivered


def test_the_day_of_delivery_changes_the_names_and_not_the_content(
    borough: Population, delivered: dict[str, Delivery]
) -> None:
    later = partner_deliveries(borough, date(2022, 10, 4))
    assert all(later[feed].content == delivered[feed].content for feed in FEEDS)
    assert later["police"].file_name == "police_2022-10-04.csv"


@pytest.mark.parametrize("feed", FEEDS)
def test_a_manifest_describes_its_file(delivered: dict[str, Delivery], truth: FeedTruth, feed: str) -> None:
    one = delivered[feed]
    assert json.loads(one.manifest) == {
        "feed": feed,
        "contract": f"{feed}/1",
        "delivered_on": "2022-10-03",
        "rows": truth.rows[feed],
        "sha256": hashlib.sha256(one.content).hexdigest(),
    }
    assert one.manifest_name == one.file_name.rsplit(".", 1)[0] + ".manifest.json"


@pytest.mark.parametrize("feed", TABLES)
def test_a_table_is_rfc_4180_with_the_columns_of_its_contract(delivered: dict[str, Delivery], feed: str) -> None:
    text = delivered[feed].content.decode()
    assert text.count("\n") == text.count("\r\n")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert rows[0] == [column.name for column in loading.load(feed).columns]
    assert {len(row) for row in rows} == {len(rows[0])}


def test_the_census_is_the_census(delivered: dict[str, Delivery], truth: FeedTruth) -> None:
    root = ElementTree.fromstring(delivered["children_services"].content)
    assert root.tag == "Message"
    assert root.findtext("Header/CollectionDetails/Collection") == "CIN"
    children = root.findall("Children/Child")
    assert len(children) == truth.rows["children_services"]
    assert all(child.find("CINdetails/CINreferralDate") is not None for child in children)
    assert len(root.findall(".//ExpectedPersonBirthDate")) == 3
    assert len(root.findall(".//ChildProtectionPlans/CPPstartDate")) > 20
    assert len(root.findall(".//Section47/S47ActualStartDate")) > 20
    assert not {element.tag for element in root.iter()} & {"Forename", "Surname", "PersonForename", "PersonSurname"}


@pytest.mark.parametrize("feed", FEEDS)
def test_the_contract_accepts_all_but_the_rows_broken_on_purpose(
    delivered: dict[str, Delivery], truth: FeedTruth, feed: str
) -> None:
    one = delivered[feed]
    checked = check_delivery(feed, one.file_name, one.content, one.manifest, SANDBOX_AS_OF, gx=False)
    assert (checked.refused, checked.held) == (None, None)
    assert checked.quarantined.height == truth.expected_quarantined[feed] > 0


def test_an_invalid_identifier_is_flagged_and_its_row_kept(delivered: dict[str, Delivery]) -> None:
    flags: dict[str, int] = {}
    for feed in TABLES:
        one = delivered[feed]
        told = check_delivery(feed, one.file_name, one.content, one.manifest, SANDBOX_AS_OF, gx=False).flags
        flags |= {name: flags.get(name, 0) + count for name, count in told.items()}
    assert {name for name, count in flags.items() if count} >= {
        "nino_invalid",
        "postcode_invalid",
        "nhs_number_invalid",
        "upn_invalid",
    }


@pytest.mark.parametrize("feed", [feed for feed in TABLES if feed != "case_management"])
def test_partners_know_other_people_besides_and_use_references_of_their_own(truth: FeedTruth, feed: str) -> None:
    links = truth.links.filter(pl.col("feed") == feed)
    assert links["person_ref"].n_unique() == links.height
    strangers = links["person_id"].str.starts_with("N").sum()
    assert 0.1 < strangers / links.height < 0.75
    others = truth.links.filter(pl.col("feed") != feed)
    assert not set(links["person_ref"]) & set(others["person_ref"])


def test_no_record_has_more_than_one_slip_and_the_hard_to_tell_apart_have_none(
    borough: Population, truth: FeedTruth
) -> None:
    slips = truth.links.join(borough.people.select("person_id", "twin", "namesake", "is_canary"), on="person_id")
    assert set(slips.filter(pl.col("twin") | pl.col("namesake"))["slip"]) <= {"none", "old_address"}
    assert set(slips.filter("is_canary")["slip"]) == {"none"}
    share = slips.filter((pl.col("slip") != "none") & (pl.col("feed") == "police")).height
    assert 0.05 < share / slips.filter(pl.col("feed") == "police").height < 0.35
    assert slips["slip"].n_unique() >= 9


def test_children_known_by_another_reference_can_be_found_by_their_upn(
    borough: Population, delivered: dict[str, Delivery], truth: FeedTruth
) -> None:
    foreign = truth.links.filter(
        (pl.col("feed") == "children_services")
        & pl.col("person_ref").str.starts_with("LAC")
        & pl.col("person_id").str.starts_with("T")
    ).join(borough.people.select("person_id", "upn"), on="person_id")
    assert foreign.height > 20
    assert set(foreign["upn"]) <= set(read(delivered["schools"])["upn"].drop_nulls())


def test_attendance_adds_up_to_exactly_what_was_planted(borough: Population, delivered: dict[str, Delivery]) -> None:
    """feeds.md: a tenth of the possible sessions of three terms, enrolments combined before dividing."""
    plans = ("absent_a_tenth", "just_under_a_tenth", "one_school_bad", "absent_over_two_schools", "absent_long_ago")
    import numpy as np

    pupils = pl.DataFrame({"person_id": [f"{plan}-{n}" for plan in plans for n in range(20)]}).with_columns(
        plan=pl.col("person_id").str.split("-").list.first()
    )
    counts = ["sessions_possible", "sessions_authorised", "sessions_unauthorised"]
    rows = attendance_rows(np.random.default_rng(1), pupils, SANDBOX_AS_OF).cast(dict.fromkeys(counts, pl.Int64))
    rows = rows.with_columns(
        plan=pl.col("person_id").str.split("-").list.first(),
        missed=pl.col("sessions_authorised") + pl.col("sessions_unauthorised"),
    )
    assert (rows["missed"] <= rows["sessions_possible"]).all()
    recent = rows.filter(pl.col("term").is_in(finished_terms(SANDBOX_AS_OF, 3)))
    total = recent.group_by("person_id", "plan").agg(pl.col("missed", "sessions_possible").sum())
    tenths = total.select("plan", over=pl.col("missed") * 10 - pl.col("sessions_possible"))
    by_plan = {plan: tenths.filter(pl.col("plan") == plan)["over"] for plan in plans}
    assert by_plan["absent_a_tenth"].is_between(0, 9).all()
    assert by_plan["just_under_a_tenth"].is_between(-10, -1).all()
    assert (by_plan["one_school_bad"] < 0).all()
    assert (by_plan["absent_over_two_schools"] >= 0).all()
    assert (by_plan["absent_long_ago"] < 0).all()
    one_school = (
        recent.filter(pl.col("plan") == "one_school_bad")
        .group_by("person_id", "establishment")
        .agg(share=pl.col("missed").sum() / pl.col("sessions_possible").sum())
    )
    assert (one_school.group_by("person_id").agg(pl.col("share").max())["share"] > 0.1).all()


def test_terms_count_once_they_are_over() -> None:
    assert finished_terms(date(2022, 10, 3), 3) == ["2021-autumn", "2022-spring", "2022-summer"]
    assert finished_terms(date(2022, 7, 31), 1) == ["2022-spring"]
    assert finished_terms(date(2022, 8, 1), 1) == ["2022-summer"]
    assert finished_terms(date(2023, 1, 1), 2) == ["2022-summer", "2022-autumn"]


@pytest.mark.parametrize("feed", TABLES)
def test_canaries_are_in_every_feed_that_has_names(
    borough: Population, delivered: dict[str, Delivery], feed: str
) -> None:
    surnames = {canary.surname.upper() for canary in canaries(borough)}
    assert surnames & set(read(delivered[feed])["surname"].drop_nulls().str.to_uppercase())


def test_canaries_are_in_the_census(borough: Population, truth: FeedTruth) -> None:
    planted = {canary.person_id for canary in canaries(borough)}
    assert planted & set(truth.links.filter(pl.col("feed") == "children_services")["person_id"])


def test_there_are_enough_canaries_some_of_them_in_identified_families(borough: Population) -> None:
    planted = canaries(borough)
    assert len(planted) >= 12
    assert len({canary.family_ref for canary in planted if canary.identified}) == 2
    assert len({canary.family_ref for canary in planted}) == 4


def test_nobody_else_has_what_a_leak_scan_looks_for(borough: Population) -> None:
    patterns = canary_patterns(20221003, 300)
    others = pl.concat([borough.people.filter(~pl.col("is_canary")), borough.neighbours], how="diagonal_relaxed")
    assert not set(patterns.names) & (set(others["forename"]) | set(others["surname"]))
    assert not set(patterns.ninos) & set(others["nino_issued"].drop_nulls())
    pairs = set(others.select(pl.col("date_of_birth").cast(pl.String), "postcode").iter_rows())
    assert not set(patterns.dob_postcode_pairs) & pairs
    assert len(patterns.ninos) >= 8
    assert len(patterns.dob_postcode_pairs) == len(canaries(borough))


def test_the_pattern_file_is_the_one_the_leak_scan_reads() -> None:
    told = json.loads(canary_patterns(1, 10).as_json())
    assert set(told) == {"names", "ninos", "pairs"}
    assert date.fromisoformat(told["pairs"][0][0])


@pytest.fixture(scope="module")
def faulty() -> dict[str, BadDelivery]:
    return bad_deliveries(make_population(3, 30, SANDBOX_AS_OF), SANDBOX_AS_OF)


REASONS = {
    "census_cut_short": "truncated",
    "census_of_something_else": "wrong_feed",
    "census_with_entity": "xml_forbidden",
    "duplicate_column": "duplicate_column",
    "duplicate_of_itself": None,
    "future_dated": "future_dated",
    "header_only": "no_rows",
    "latin_1": "not_utf8",
    "manifest_missing": "manifest_missing",
    "manifest_not_an_object": "manifest_unreadable",
    "manifest_unreadable": "manifest_unreadable",
    "missing_column": "missing_column",
    "name_of_another_day": "name_mismatch",
    "not_a_table": "not_utf8",
    "nul_bytes": "nul_bytes",
    "ragged_row": None,
    "semicolons": "unknown_column",
    "truncated": "checksum_mismatch",
    "truncated_inside_quotes": "truncated",
    "unknown_column": "unknown_column",
    "unknown_contract": "unknown_contract",
    "utf_16": "not_utf8",
    "wrong_checksum": "checksum_mismatch",
    "wrong_feed": "wrong_feed",
    "wrong_row_count": "row_count_mismatch",
    "zero_bytes": "zero_bytes",
}


def test_every_bad_delivery_has_an_expected_answer(faulty: dict[str, BadDelivery]) -> None:
    assert set(faulty) == set(REASONS)


@pytest.mark.parametrize("case", sorted(REASONS))
def test_a_bad_delivery_is_refused_for_its_one_fault(faulty: dict[str, BadDelivery], case: str) -> None:
    one = faulty[case]
    feed = "children_services" if case.startswith("census") else "police"
    checked = check_delivery(feed, one.file_name, one.content, one.manifest, SANDBOX_AS_OF, gx=False)
    assert checked.refused == REASONS[case]
    assert checked.accepted.is_empty() == (REASONS[case] is not None)
