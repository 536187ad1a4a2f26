"""Accepted rows: typed, minimised, flagged; and when a person must look first."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from linkage.custody.evidence.batch_level import require_batch_level
from linkage.errors import CheckFailed
from linkage.feeds import check, drift, loading, quality
from linkage.feeds.check import CheckedDelivery, check_delivery
from linkage.feeds.drift import Previous
from linkage.feeds.gx_suite import Evidence
from linkage.feeds.receipt import FEEDS
from linkage.sandbox.partner_files import FeedTruth, feed_truth, partner_deliveries
from linkage.sandbox.population import make_population

CORPUS = Path(__file__).parent / "corpus"
DAY = date(2022, 10, 3)


def accepted(case: str, feed: str) -> pl.DataFrame:
    suffix = loading.load(feed).format
    return checked(case, feed, suffix).accepted


def checked(case: str, feed: str, suffix: str = "csv", **options: object) -> CheckedDelivery:
    content = (CORPUS / f"{case}.{suffix}").read_bytes()
    keywords: dict[str, object] = {"gx": False, "manifest_required": False} | options
    return check_delivery(feed, f"{case}.{suffix}", content, None, DAY, **keywords)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def programme() -> tuple[dict[str, CheckedDelivery], FeedTruth]:
    """The sandbox's deliveries, checked, and what is known about them."""
    population = make_population(20221003, 60, DAY)
    deliveries = partner_deliveries(population, DAY)
    found = {
        feed: check_delivery(feed, one.file_name, one.content, one.manifest, DAY, gx=False)
        for feed, one in deliveries.items()
    }
    return found, feed_truth(population)


def test_exactly_the_planted_rows_of_the_sandbox_are_quarantined(
    programme: tuple[dict[str, CheckedDelivery], FeedTruth],
) -> None:
    found, truth = programme
    assert {feed: one.refused or one.held for feed, one in found.items()} == dict.fromkeys(FEEDS)
    assert {feed: one.quarantined.height for feed, one in found.items()} == truth.expected_quarantined
    assert {feed: one.rows for feed, one in found.items()} == truth.rows


def test_an_accepted_frame_has_the_kept_columns_their_types_and_nothing_else(
    programme: tuple[dict[str, CheckedDelivery], FeedTruth],
) -> None:
    """N3: the minimum necessary."""
    kinds = {"date": pl.Date(), "whole": pl.Int32(), "flag": pl.Boolean()}
    for feed, one in programme[0].items():
        contract = loading.load(feed)
        expected = {"row_no": pl.Int32()}
        expected |= {column.name: kinds.get(column.kind, pl.String()) for column in contract.kept}
        expected |= {column.flag_name: pl.Boolean() for column in contract.identifiers}
        assert dict(one.accepted.schema) == expected, feed


def test_a_dropped_column_s_values_are_nowhere_in_the_accepted_frame() -> None:
    """N3: the NHS number is checked, counted and left behind."""
    frame = accepted("identifiers-that-cannot-be-real", "health")
    assert "nhs_number" not in frame.columns
    assert frame["nhs_number_invalid"].to_list() == [True, False]


def test_an_identifier_that_cannot_be_real_becomes_empty_and_is_flagged() -> None:
    frame = accepted("identifiers-that-cannot-be-real", "health")
    assert frame.select("nino", "nino_invalid", "postcode", "postcode_invalid").rows() == [
        (None, True, None, True),
        ("AB123456C", False, "ZZ99 3VZ", False),
    ]


def test_the_census_gives_one_row_per_enquiry_and_plan() -> None:
    frame = accepted("census-child-of-three-episodes", "children_services")
    columns = ["person_ref", "gender", "cin_started_on", "section47_on", "cpp_started_on", "cpp_ended_on"]
    start, first, second = date(2022, 1, 10), date(2022, 2, 1), date(2022, 6, 1)
    assert frame.select(columns).rows() == [
        ("C1", "M", start, first, None, None),
        ("C1", "M", start, second, None, None),
        ("C1", "M", start, None, date(2022, 2, 20), date(2022, 8, 20)),
        ("C2", "M", start, None, None, None),
    ]


def test_a_referral_closed_with_no_further_action_is_not_a_spell_in_need() -> None:
    content = (CORPUS / "census-unborn-child.xml").read_bytes()
    closed = content.replace(b"<ReferralNFA>false<", b"<ReferralNFA>true<")
    for delivery, start in ((content, date(2022, 1, 10)), (closed, None)):
        one = check_delivery("children_services", "x.xml", delivery, None, DAY, gx=False, manifest_required=False)
        assert one.accepted["cin_started_on"].to_list() == [start]


def test_the_quarantine_keeps_every_delivered_column_as_text() -> None:
    """S1: dropped columns too, for they were delivered and are held until the quarantine's own deadline."""
    one = checked("negative-arrears", "housing")
    assert one.quarantined.columns == ["row_no", "column", "reason", "raw", *loading.load("housing").names]
    row = one.quarantined.row(0, named=True)
    assert (row["row_no"], row["column"], row["reason"]) == (2, "arrears_weeks", "out_of_range")
    assert (row["arrears_weeks"], row["tenancy_ref"]) == ("-2", "T-1")


def test_nothing_of_a_held_delivery_is_accepted_until_a_person_lets_it_through() -> None:
    held = checked("a-tenth-of-last-time", "police", previous=Previous(100))
    assert (held.held, held.accepted.height) == ("volume_drift", 0)
    released = checked("a-tenth-of-last-time", "police", previous=Previous(100), released=True)
    assert (released.held, released.accepted.height) == (None, 10)


@pytest.mark.parametrize(("previous", "held"), [(20, None), (21, None), (49, None), (50, "volume_drift"), (5, None)])
def test_small_deliveries_are_not_judged_by_volume(previous: int, held: str | None) -> None:
    assert checked("a-tenth-of-last-time", "police", previous=Previous(previous)).held == held


@pytest.mark.parametrize(
    ("before", "shift"),
    [
        ({"M": 0.5, "F": 0.5}, 0.0),
        ({"M": 0.2, "F": 0.8}, 0.3),
        ({"X": 1.0}, 1.0),
    ],
)
def test_how_far_a_mix_has_moved_is_half_the_sum_of_the_differences(before: dict[str, float], shift: float) -> None:
    """Total variation distance: 0 the same, 1 nothing in common."""
    now = {"gender": {"M": 0.5, "F": 0.5}, "new_column": {"a": 1.0}, "empty": {}}
    assert drift.shifts(now, {"gender": before, "empty": {"a": 1.0}}) == {"gender": pytest.approx(shift)}


@pytest.mark.parametrize(("rows", "held"), [(199, None), (200, "mix_drift")])
def test_the_mix_of_a_small_delivery_moves_by_chance_and_is_not_judged(rows: int, held: str | None) -> None:
    before = Previous(rows, {"record_type": {"crime": 1.0}})
    assert checked("every-record-became-anti-social-behaviour", "police", previous=before).held == held


def test_what_a_check_keeps_for_ever_is_counts_and_shares() -> None:
    """D10: no value, no name of a file; the same words that the quality page shows."""
    told = quality.facts(checked("the-header-again-in-the-middle", "police"), "accepted", "hld_1", None)
    require_batch_level(told)
    assert (told["delivered"], told["quarantined"]) == (3, 1)
    assert ["date_of_birth", "bad_date", 1] in told["faults"]
    assert set(told["filled"]) == {"postcode", "uprn", "nino", "outcome_on"}
    assert "Ada" not in json.dumps(told)


def test_dates_are_judged_by_the_day_given_not_by_today() -> None:
    content = (CORPUS / "born-tomorrow.csv").read_bytes()
    later = check_delivery(
        "case_management", "x.csv", content, None, date(2022, 10, 4), gx=False, manifest_required=False
    )
    assert later.violations == []


def test_without_being_told_otherwise_a_delivery_needs_its_manifest() -> None:
    content = (CORPUS / "sound-with-manifest.csv").read_bytes()
    assert check_delivery("police", "police_2022-10-03.csv", content, None, DAY, gx=False).refused == "manifest_missing"


def test_two_engines_that_disagree_stop_the_delivery_and_name_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    from linkage.feeds import gx_suite

    monkeypatch.setattr(gx_suite, "run_suite", lambda *_: Evidence((), {}))
    with pytest.raises(CheckFailed, match="gender/unknown_code") as caught:
        checked("unknown-gender-word", "police", gx=True)
    assert "female" not in str(caught.value)


def test_the_verdict_does_not_depend_on_the_order_of_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepted rows are exactly those without a violation, whichever mask finds one."""
    before = checked("three-faults-in-one-row", "police")
    told = check.masks.row_masks
    monkeypatch.setattr(check.masks, "row_masks", lambda *given: list(reversed(told(*given))))
    after = checked("three-faults-in-one-row", "police")
    assert after.accepted.equals(before.accepted)
    assert set(after.violations) == set(before.violations)
