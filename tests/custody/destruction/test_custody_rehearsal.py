"""A rehearsal says what would go and what would be late, and writes nothing; and what the sweep's sentences say (D6, D13)."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from typer.testing import CliRunner

from linkage import clock, policy, settings
from linkage.cli import app
from linkage.custody import holds, keys
from linkage.custody.destruction.sweep import sweep
from linkage.custody.stores import objects

BEGINS = re.compile(r"^hld_[0-9a-f]{32}: [a-z_]+( \([^)]*\))? at [a-z-]+ ")


def everything(house) -> dict[str, object]:
    """All that a sweep could change: every row of every table, every version of every object, every key, every alert."""
    told: dict[str, object] = {}
    with house.register.engine.connect() as connection:
        for table in sorted(inspect(connection).get_table_names()):
            rows = connection.execute(text(f"SELECT * FROM {table}")).all()
            plain = [[bytes(one) if isinstance(one, memoryview) else one for one in row] for row in rows]
            told[table] = sorted(repr(row) for row in plain)
    for store in policy.load().stores:
        for kind in ("vault", "inbox"):
            client = objects.client(store)
            listed = sorted(client.versions(f"{store}-{kind}"), key=lambda one: (one.key, one.version_id))
            told[f"{store}-{kind}"] = [(one, client.get(f"{store}-{kind}", one.key, one.version_id)) for one in listed]
    told["witness"] = sorted(one.version_id for one in objects.client("witness").versions("ledger-witness"))
    told["keys"] = [keys.service(key.store).key_exists(key.name) for key in house.register.keys(destroyed=None)]
    alerts: Path = settings.load().alerts
    told["alerts"] = sorted(alerts.iterdir()) if alerts.exists() else []
    return told


def test_a_rehearsal_says_what_would_go_and_leaves_every_byte_as_it_was(house) -> None:
    """D6: register, buckets, ledger, witness, keys and alerts, before and after."""
    soon, later = house.put(label="police 2022-10-03"), house.put("ons-identity", "identity_file")
    held_back = house.put()
    holds.place(held_back.id, "County Court", "claim 1", clock.at(date(2022, 12, 24), 0))
    before = everything(house)
    told = CliRunner().invoke(app, ["sweep", "--dry-run", "--as-of", "2022-10-30T12:00"])
    assert everything(house) == before
    assert told.exit_code == 0
    assert f"{soon.id}: delivery (police 2022-10-03) at authority would be destroyed" in told.stdout
    assert f"{held_back.id}: delivery at authority is BLOCKED by a legal hold of County Court" in told.stdout
    assert later.id not in told.stdout


def test_a_rehearsal_names_what_would_be_late(house) -> None:
    """D1, D3: as if nobody swept until then."""
    overdue, late = house.put(), house.put("dwp", "match_working")
    before = everything(house)
    report = sweep(as_of=clock.at(date(2022, 11, 1), 12), dry_run=True)
    assert everything(house) == before
    assert (report.breaches, report.late) == ([overdue.id], [late.id])
    assert any(line.startswith(overdue.id) and "LATE, a breach" in line for line in report.lines)
    assert report.lines[-1].endswith("1 past target, 1 in breach.")


def test_a_rehearsal_after_the_end_of_a_hold_shows_the_holding_go(doubled_house) -> None:
    """D12: on that day the hold will have ended by itself."""
    held = doubled_house.put()
    holds.place(held.id, "County Court", "claim 1", clock.at(date(2022, 10, 20), 0))
    report = sweep(as_of=clock.at(date(2022, 10, 30), 12), dry_run=True)
    assert report.blocked == []
    assert any(line.startswith(held.id) and "would be destroyed" in line for line in report.lines)


def test_a_sweep_for_a_later_date_does_not_end_a_hold_that_is_in_force_today(doubled_house) -> None:
    """D12: only a rehearsal looks at the hold as it will be."""
    held = doubled_house.put()
    holds.place(held.id, "County Court", "claim 1", clock.at(date(2022, 10, 20), 0))
    assert sweep(as_of=clock.at(date(2022, 10, 30), 12)).blocked == [held.id]
    assert doubled_house.register.get(held.id).state == "held"


def test_every_holding_gets_one_plain_sentence_and_the_log_a_closing_count(house) -> None:
    """What, where, why, by which rule, by when, how early or late, and the proof's id."""
    gone = [house.put(label="police 2022-10-03"), house.put("dwp", "match_working"), house.put()]
    blocked = house.put()
    holds.place(blocked.id, "County Court", "claim 1", clock.at(date(2022, 12, 24), 0))
    house.at(date(2022, 11, 1), 3, 30)
    report = sweep()
    for holding in gone:
        [line] = [one for one in report.lines if one.startswith(holding.id)]
        assert BEGINS.match(line), line
        for part in (
            "was destroyed and its destruction verified",
            f"rule {holding.rule}",
            "received 2022-10-03",
            f"to be gone before {holding.legal.astimezone(clock.LONDON):%Y-%m-%d %H:%M}",
            f"Certificate crt_{holding.id[4:]}.",
        ):
            assert part in line, (part, line)
        assert re.search(r"(\d+ days?|\d+ hours?|\d+ days? \d+ hours?) (early|LATE, a breach)\.", line), line
    [line] = [one for one in report.lines if one.startswith(blocked.id)]
    assert "is BLOCKED by a legal hold of County Court until 2022-12-24" in line
    assert re.fullmatch(
        r"4 due before 2022-11-02 09:30: 3 destroyed and certified, 0 failed, 1 blocked, \d past target, \d in breach\.",
        report.lines[-1],
    )
    assert len(report.lines) == 5
    assert all(line.endswith(".") for line in report.lines)


def test_nothing_due_is_said_as_zero_due(house) -> None:
    """D13."""
    assert re.fullmatch(r"0 due before .*: 0 destroyed and certified, 0 failed, .*\.", sweep().lines[-1])


def test_what_could_not_be_destroyed_is_said_with_its_reason(doubled_house) -> None:
    """D7."""
    held = doubled_house.put()
    doubled_house.at(date(2022, 10, 30), 12)
    doubled_house.world.deaf_to_deletion = True
    [line] = [one for one in sweep().lines if one.startswith(held.id)]
    assert "is NOT destroyed yet" in line
    assert "the verifier still finds 1 copies" in line
    assert "Certificate" not in line


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Auckland", "UTC"])
def test_the_machines_time_zone_changes_no_deadline(doubled_house, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """D1: London's calendar, wherever the machine thinks it stands."""
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        held = doubled_house.put("dwp", "match_working")
        told = [moment.replace(second=0, microsecond=0) for moment in (held.target, held.legal)]
        assert told == [clock.at(date(2022, 10, 31), 9), clock.at(date(2022, 11, 3), 9)]
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_a_backfill_a_rerun_and_a_resend_postpone_nothing(doubled_house) -> None:
    """D2, D6: the deadline in the register is that of the first copy, and a sweep looks from the real day at the earliest."""
    first = doubled_house.put(data=b"a letter", natural_key="letter")
    doubled_house.at(date(2022, 10, 20))
    again = doubled_house.put(data=b"a letter", natural_key="letter")
    assert (again.id, again.legal) == (first.id, first.legal)
    doubled_house.at(date(2022, 10, 30), 12)
    for day in (date(2022, 10, 4), date(2015, 1, 1)):
        sweep(as_of=clock.at(day, 3, 30), dry_run=True)
    assert sweep(as_of=clock.at(date(2022, 10, 4), 3, 30)).destroyed == 1
    assert doubled_house.register.get(first.id).legal == first.legal
