"""The watchdog hears silence before silence can break a promise (D6, D13)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from linkage import clock, policy
from linkage.custody import holds
from linkage.custody.destruction.sweep import sweep
from linkage.custody.watch.watchdog import patience, watch


def test_silence_is_told_while_half_of_the_margin_is_left_to_act(house) -> None:
    """D13: the interval and half of the margin; what a missed sweep leaves behind falls due after the whole margin."""
    sweep()
    last = house.register.last_sweep().reported_at
    timing = policy.load().sweep
    assert patience() < timedelta(hours=timing.every_hours + timing.margin_hours)
    assert watch(last + patience()).ok
    seen = watch(last + patience() + timedelta(minutes=1))
    assert [problem.kind for problem in seen.found] == ["silent_sweep"]


@pytest.mark.parametrize("hour", [0, 12, 15, 18, 21])
def test_when_a_sweep_is_marked_as_done_without_running_nothing_is_late_before_the_watchdog_barks(
    doubled_house, hour: int
) -> None:
    """D6, D13: a skipped day is noticed before the first holding that it left can be overdue."""
    doubled_house.at(date(2022, 10, 3), hour)
    held = doubled_house.put()
    skipped = clock.at(date(2022, 10, 4), 3, 30)
    while skipped + timedelta(days=1) < held.legal:
        skipped += timedelta(days=1)
    clock.set_simulated(skipped - timedelta(days=1))
    sweep()
    assert doubled_house.register.get(held.id).state == "held"  # at other hours that sweep takes it already
    barks = doubled_house.register.last_sweep().reported_at + patience()
    assert barks < held.legal


def test_a_breach_is_named_with_its_rule_and_kind(house) -> None:
    """D3, N10."""
    held = house.put("dwp", "match_working")
    house.at(date(2022, 11, 1))
    sweep(stores=["moj"])
    [late] = watch().found
    assert (late.kind, "past its target" in late.sentence) == ("past_target", True)
    house.at(date(2022, 11, 4))
    sweep(stores=["moj"])
    [breach] = watch().found
    assert (breach.kind, held.id in breach.sentence) == ("breach", True)


def test_a_hold_beyond_the_deadline_barks_as_the_breach_it_is(house) -> None:
    """D12: the notice allows no hold."""
    held = house.put()
    holds.place(held.id, "County Court", "claim 1", clock.at(date(2022, 12, 24), 0))
    house.at(date(2022, 11, 2))
    sweep()
    [breach] = watch().found
    assert breach.kind == "breach"
    assert "blocked by a legal hold of County Court until 2022-12-24" in breach.sentence
    assert "which the notice does not allow for (D12)" in breach.sentence
