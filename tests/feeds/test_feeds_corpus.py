"""Every kind of bad file and what becomes of it; the cases stand in tests/feeds/corpus with their expected verdicts."""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from linkage.feeds.check import CheckedDelivery, check_delivery
from linkage.feeds.drift import Previous
from linkage.feeds.reasons import REASONS

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(CORPUS.glob("*.expected.json"))
# Too big to keep as files; test_feeds_reading.py covers them under a contract with small limits.
ELSEWHERE = {"too_large", "too_many_rows", "csv_unreadable"}


def told(case: Path) -> dict[str, Any]:
    return json.loads(case.read_text())


@cache
def run(case: Path) -> CheckedDelivery:
    """The case's verdict; checked once, looked at by several tests."""
    return check(told(case))


def check(expected: dict[str, Any]) -> CheckedDelivery:
    content = (CORPUS / expected["file"]).read_bytes()
    previous = None
    if "previous_rows" in expected:
        previous = Previous(expected["previous_rows"], expected.get("previous_mix", {}))
    manifest = CORPUS / f"{Path(expected['file']).stem}.manifest.json"
    return check_delivery(
        expected["feed"],
        expected.get("delivered_as", expected["file"]),
        content,
        manifest.read_bytes() if manifest.exists() else None,
        date.fromisoformat(expected["as_of"]),
        previous=previous,
        gx=False,
        manifest_required=expected["manifest_required"],
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.removesuffix(".expected.json"))
def test_the_verdict_on_a_bad_file_is_the_expected_one(case: Path) -> None:
    expected = told(case)
    checked = run(case)
    assert checked.refused == expected["refused"], expected["says"]
    assert checked.held == expected["held"], expected["says"]
    assert checked.where == expected.get("where")
    assert [[one.row, one.column, one.reason] for one in checked.violations] == expected["violations"]
    assert checked.accepted.height == expected["accepted"]
    assert checked.quarantined.height == len({row for row, _, _ in expected["violations"]})
    assert {flag: count for flag, count in checked.flags.items() if count} == expected.get("flags", {})


def test_every_row_of_a_csv_is_accepted_quarantined_or_its_file_is_stopped() -> None:
    for case in CASES:
        checked = run(case)
        if not (checked.refused or checked.held) and not case.name.startswith("census-"):
            assert checked.accepted.height + checked.quarantined.height == checked.rows, case.name


def test_every_reason_code_has_a_case() -> None:
    seen: set[str | None] = set()
    for case in CASES:
        expected = told(case)
        seen |= {expected["refused"], expected["held"]} | {reason for _, _, reason in expected["violations"]}
        seen |= set(expected.get("flags", {}))
    assert set(REASONS) - ELSEWHERE <= seen


def test_a_reason_outside_the_register_is_never_given() -> None:
    for case in CASES:
        checked = run(case)
        given = {one.reason for one in checked.violations} | {checked.refused, checked.held} | set(checked.flags)
        assert given - {None} <= set(REASONS), case.name


def test_the_same_delivery_gives_the_same_result_twice() -> None:
    for name in ("ragged-rows", "two-truths-for-one-term", "census-child-of-three-episodes"):
        one, two = (check(told(CORPUS / f"{name}.expected.json")) for _ in range(2))
        assert one.violations == two.violations
        assert one.accepted.equals(two.accepted)
        assert one.quarantined.equals(two.quarantined)


def test_no_text_about_a_delivery_holds_a_value_of_it() -> None:
    """N11: messages and evidence are counts, codes and column names."""
    values = ("Ada", "Sample", "Test Street", "SE1 7PB", "1985-06-15", "QQ123456C", "female", "yesterday")
    for case in CASES:
        one = run(case)
        about = repr((one.violations, one.refused, one.held, one.where, one.flags, one.gate, one.dropped_columns))
        assert not [value for value in values if value in about], case.name
