"""The sandbox's journal: what is done stays done, and one home keeps one clock."""

from pathlib import Path

import pytest

from linkage.errors import Misuse
from linkage.sandbox.journal import Journal
from linkage.sandbox.run import shortcomings


def test_a_stage_that_ended_well_is_not_played_again(tmp_path: Path) -> None:
    with Journal(tmp_path).stage("deliveries") as to_do:
        assert to_do
    with Journal(tmp_path).stage("deliveries") as to_do:
        assert not to_do


def test_a_stage_that_failed_is_played_again(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Journal(tmp_path).stage("deliveries"):
        raise RuntimeError
    with Journal(tmp_path).stage("deliveries") as to_do:
        assert to_do


def test_a_home_begun_with_the_simulated_clock_refuses_the_real_one(tmp_path: Path) -> None:
    """D15"""
    begun = Journal(tmp_path)
    begun.require_clock("sandbox")
    begun.save()
    with pytest.raises(Misuse, match=r"D15.*clean-sandbox"):
        Journal(tmp_path).require_clock("real")
    Journal(tmp_path).require_clock("sandbox")


def sound() -> dict:
    return {
        "clock": "simulated",
        "holdings": {"held": 3, "destroyed": 2, "overdue": 0},
        "certificates": {"issued": 2, "verified": 2},
        "ledger": {"entries": 9, "ok": True},
        "refused_after_deadline": True,
    }


def test_a_sound_summary_has_no_shortcomings() -> None:
    assert shortcomings(sound()) == []


@pytest.mark.parametrize(
    ("part", "value", "rule"),
    [
        ("holdings", {"held": 3, "destroyed": 2, "overdue": 1}, "D1"),
        ("certificates", {"issued": 2, "verified": 1}, "D9"),
        ("ledger", {"entries": 9, "ok": False}, "D11"),
        ("refused_after_deadline", False, "D3"),
    ],
)
def test_a_broken_promise_makes_the_sandbox_fail_and_names_the_rule(part: str, value: object, rule: str) -> None:
    told = shortcomings({**sound(), part: value})
    assert len(told) == 1
    assert rule in told[0]
