"""The daily sweep and its watchdog (D3, D6, D12, D13, D15)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from custody_doubles import Objects

from linkage import clock
from linkage.custody import faults, holds, keys
from linkage.custody.destruction.sweep import sweep
from linkage.custody.transfers import sealing
from linkage.custody.watch.watchdog import watch
from linkage.errors import CheckFailed


def test_nothing_due_is_said_aloud(house) -> None:
    """D13."""
    house.put()
    report = sweep()
    assert report.lines[-1].startswith("0 due before 2022-10-04 15:00")
    assert report.ok
    assert house.register.last_sweep().due == 0


def test_whatever_falls_due_before_the_next_sweep_goes_today(house) -> None:
    """D6: a sweep that comes hours late still breaches nothing."""
    held = house.put()
    house.at(date(2022, 10, 30), 3, 30)
    report = sweep()
    assert report.destroyed == 1
    [line] = [line for line in report.lines if line.startswith(held.id)]
    assert "rule raw_28_days" in line
    assert "1 day 5 hours early" in line
    assert f"Certificate crt_{held.id[4:]}" in line
    assert report.keys_destroyed == []
    assert not keys.service("authority").key_exists(held.kek)


def test_what_is_due_after_the_next_sweep_and_its_margin_stays(house) -> None:
    held = house.put()
    house.at(date(2022, 10, 30), 1)
    assert sweep().destroyed == 0
    assert house.register.get(held.id).state == "held"


def test_no_backfill_postpones_destruction(house) -> None:
    """D6: the later of the clock and the run's date counts."""
    house.put()
    house.at(date(2022, 10, 30), 12)
    assert sweep(as_of=clock.at(date(2022, 10, 4), 3, 30)).destroyed == 1


def test_a_run_for_a_later_date_looks_from_there(house) -> None:
    house.put()
    assert sweep(as_of=clock.at(date(2022, 10, 30), 12)).destroyed == 1


def test_a_dry_run_touches_nothing(house) -> None:
    held = house.put()
    house.at(date(2022, 10, 30), 12)
    report = sweep(dry_run=True)
    assert any("would be destroyed" in line for line in report.lines)
    assert house.register.get(held.id).state == "held"
    assert house.register.last_sweep() is None


def test_everything_of_the_programme_goes_before_december(house) -> None:
    """D3, N15."""
    made = [house.put("ons-identity", "identity_file"), house.put("ons-research", "attribute_file")]
    house.at(date(2022, 11, 30), 3, 30)
    report = sweep()
    assert report.destroyed == len(made)
    assert report.breaches == []
    house.at(date(2022, 12, 1), 0)
    assert house.register.counts() == {"held": 0, "destroyed": 2, "overdue": 0}


def test_a_late_destruction_is_called_a_breach(house) -> None:
    held = house.put()
    house.at(date(2022, 11, 2))
    report = sweep()
    assert report.breaches == [held.id]
    assert not report.ok
    assert any("LATE, a breach" in line for line in report.lines)
    assert report.destroyed == 1


def test_past_the_target_is_late_but_no_breach(house) -> None:
    """D1: 28 days is the aim, the corresponding date the promise."""
    held = house.put("dwp", "match_working")
    house.at(date(2022, 11, 1))
    report = sweep()
    assert (report.late, report.breaches, report.ok) == ([held.id], [], True)


def test_a_hold_is_shown_and_the_others_go(house) -> None:
    """D12."""
    held, free = house.put(), house.put()
    holds.place(held.id, "County Court", "claim 1", clock.at(date(2022, 12, 24), 0))
    house.at(date(2022, 10, 30), 12)
    report = sweep()
    assert report.blocked == [held.id]
    assert any("BLOCKED by a legal hold of County Court" in line for line in report.lines)
    assert house.register.get(free.id).state == "destroyed"
    assert report.ok
    house.at(date(2022, 11, 2))
    again = sweep()
    assert again.incidents == [held.id]
    assert not again.ok


def test_one_that_fails_does_not_keep_the_others(doubled_house, monkeypatch) -> None:
    house = doubled_house
    one, other = house.put("dwp", "match_working"), house.put("moj", "match_working")
    house.at(date(2022, 10, 31), 3)
    purge = Objects.purge

    def refused(self, bucket: str, prefix: str, listed=()):
        if bucket == "moj-vault":
            raise CheckFailed("1 object versions are left in moj-vault after their deletion: AccessDenied (D7)")
        return purge(self, bucket, prefix, listed)

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "purge", refused)
        report = sweep()
    assert [house.register.get(made.id).state for made in (one, other)] == ["destroyed", "destroying"]
    assert report.failed == [other.id]
    assert sweep().destroyed == 1


def test_a_sweep_that_dies_has_told_what_it_did(doubled_house, monkeypatch) -> None:
    """D7: each sentence is told when it is true, not when all is over."""
    house, told = doubled_house, []
    made = [house.put() for _ in range(2)]
    house.at(date(2022, 10, 31), 3)

    def die(point: str) -> None:
        if point == "before_vacuum":
            raise KeyboardInterrupt

    monkeypatch.setattr(faults, "reach", die)
    with pytest.raises(KeyboardInterrupt):
        sweep(tell=told.append)
    assert sorted(line.split()[-1] for line in told) == sorted(f"crt_{one.id[4:]}." for one in made)


def test_one_whose_intent_cannot_be_written_does_not_keep_the_others(doubled_house) -> None:
    """D7: intents are written together; the database refuses one of them, the rest goes on."""
    house = doubled_house
    made = [house.put() for _ in range(3)]
    house.at(date(2022, 10, 31), 3)
    refused = made[1].id
    with house.register.engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TRIGGER broken BEFORE INSERT ON destruction_steps WHEN NEW.holding_id = '{refused}' "
            "BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )
    report = sweep()
    assert (report.destroyed, report.failed) == (2, [refused])
    assert house.register.get(refused).state == "held"
    with house.register.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER broken")
    assert sweep().destroyed == 1


def test_what_a_store_kept_although_it_said_otherwise_goes_with_the_next_sweep(doubled_house) -> None:
    """D7: a store that said "deleted" and lied is asked again until the verifier finds nothing."""
    house = doubled_house
    held = house.put("dwp", "match_working")
    house.at(date(2022, 10, 31), 3)
    house.world.deaf_to_deletion = True
    assert sweep().failed == [held.id]
    house.world.deaf_to_deletion = False
    assert sweep().destroyed == 1
    assert house.versions(held) == 0


def test_an_unreachable_store_is_told_as_such(doubled_house) -> None:
    doubled_house.put()
    doubled_house.at(date(2022, 10, 30), 12)
    doubled_house.world.down = {"objects"}
    report = sweep()
    assert report.unreachable
    assert "NOT destroyed yet (the object store cannot be reached" in report.lines[0]
    assert "checkpoint did not reach its witness" in report.lines[-1]
    doubled_house.world.down = set()
    assert sweep().destroyed == 1


def test_a_clock_that_went_back_postpones_nothing_and_is_told(house) -> None:
    """D6, D15: the sweep looks from the latest moment it has seen, and a person has to look at the clock."""
    held = house.put()
    house.at(date(2022, 10, 29), 1)
    assert sweep().destroyed == 0
    house.at(date(2022, 10, 30), 12)
    assert house.register.get(held.id).state == "held"
    sweep(stores=["dwp"])
    house.at(date(2022, 10, 10))
    report = sweep()
    assert house.register.get(held.id).state == "destroyed"
    assert "The clock is 20 days 4 hours behind the last sweep" in report.lines[0]
    assert not report.ok
    assert "clock_went_back" in {one.kind for one in house.register.incidents()}
    house.at(date(2022, 10, 31))
    assert sweep().ok


def test_a_vacuum_that_cannot_be_asked_for_is_an_incident_and_undoes_nothing(doubled_house, monkeypatch) -> None:
    """D7: the bytes it would give up are unreadable already."""
    monkeypatch.setenv("LINKAGE_WEED_MASTER_URL", "http://127.0.0.1:1")
    doubled_house.put()
    doubled_house.at(date(2022, 10, 30), 12)
    report = sweep()
    assert report.ok and report.destroyed == 1
    assert any("vacuum could not be asked for" in line for line in report.lines)
    assert [one.kind for one in doubled_house.register.incidents()] == ["vacuum_incomplete"]


def test_stores_can_be_swept_one_by_one(house) -> None:
    ours, theirs = house.put("dwp", "match_working"), house.put("moj", "match_working")
    house.at(date(2022, 10, 31), 3)
    assert sweep(stores=["dwp"]).destroyed == 1
    assert [house.register.get(one.id).state for one in (ours, theirs)] == ["destroyed", "held"]


def test_the_key_of_a_transfer_nobody_took_goes_on_its_date(house) -> None:
    """N10: a sealed request that never arrives becomes unreadable in time."""
    import polars as pl

    frame = pl.DataFrame({"linker_ref": ["l"], "match_key": ["k"], "person_token": [b"t" * 16]})
    sealing.send(
        frame,
        sender="authority",
        recipient="ons-linker",
        dataset_class="compound_tokens",
        programme="troubled_families_2015_2020",
        natural_key="t",
    )
    [key] = house.register.keys()
    house.at(date(2022, 11, 30), 3, 30)
    assert sweep().keys_destroyed == [key.name]
    assert not keys.service("ons-linker").key_exists(key.name)


def test_the_watchdog_is_quiet_after_a_sweep_and_barks_without_one(house) -> None:
    """D13."""
    assert watch().problems == ("no sweep has ever reported",)
    sweep()
    assert watch().ok
    later = clock.now() + timedelta(hours=31)
    assert "the last sweep reported" in watch(later).problems[0]


def test_the_watchdog_barks_at_what_is_overdue_whatever_the_sweep_says(house) -> None:
    """D13."""
    held = house.put("dwp", "match_working")
    house.at(date(2022, 11, 1))
    assert any("past its target" in problem for problem in watch().problems)
    house.at(date(2022, 11, 4))
    seen = watch()
    assert seen.overdue == 1
    assert any(held.id in problem and "legal deadline" in problem for problem in seen.problems)


def test_the_watchdog_barks_when_the_last_sweep_failed(doubled_house) -> None:
    doubled_house.put()
    doubled_house.at(date(2022, 10, 30), 12)
    doubled_house.world.deaf_to_deletion = True
    sweep()
    assert "could not destroy 1 of 1" in watch().problems[0]
