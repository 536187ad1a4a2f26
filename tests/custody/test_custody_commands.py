"""Custody on the command line: what is printed, and with which exit code it leaves."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from linkage import clock
from linkage.custody import commands, holds, objects
from linkage.custody.destruction import destroy
from linkage.custody.sweep import sweep
from linkage.errors import CheckFailed, Misuse


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    """The commands under one roof."""
    made = typer.Typer(pretty_exceptions_enable=False)
    names = (
        "holdings",
        "sweep",
        "certificate",
        "watchdog",
        "reconcile",
        "leaks",
        "deadline",
        "ledger_verify",
        "ledger_export",
        "hold_place",
        "hold_lift",
    )
    for name in names:
        made.command(name)(getattr(commands, name))
    return made


def _run(app: typer.Typer, *words: str):
    return CliRunner().invoke(app, list(words), catch_exceptions=True)


@pytest.mark.parametrize(
    ("rule", "received", "target", "legal"),
    [
        ("one-month", "2022-01-31T10:00", "2022-02-28T10:00:00+00:00", "2022-02-28T10:00:00+00:00"),
        ("one-month", "2022-10-03T09:00:00+01:00", "2022-10-31T09:00:00+00:00", "2022-11-03T09:00:00+00:00"),
        ("programme", "2022-10-03", "2022-11-30T18:00:00+00:00", "2022-12-01T00:00:00+00:00"),
    ],
)
def test_the_deadline_calculator_answers_in_london_time(doubled_house, app, rule, received, target, legal) -> None:
    """D1, D3."""
    told = json.loads(_run(app, "deadline", "--rule", rule, "--received", received).stdout)
    assert told == {"target": target, "legal": legal}


def test_a_moment_that_is_none_is_misuse(doubled_house, app) -> None:
    assert isinstance(_run(app, "deadline", "--rule", "one-month", "--received", "soon").exception, Misuse)


def test_holdings_are_listed_by_date_and_holder(doubled_house, app) -> None:
    soon, later = doubled_house.put(), doubled_house.put("ons-identity", "identity_file")
    told = json.loads(_run(app, "holdings", "--due-by", "2022-10-31", "--json").stdout)
    assert [one["id"] for one in told] == [soon.id]
    assert [one["id"] for one in json.loads(_run(app, "holdings", "--holder", "ons", "--json").stdout)] == [later.id]
    assert "wrapped_dek" not in told[0]
    assert "2 holdings" in _run(app, "holdings").output


def test_a_sweep_leaves_with_one_when_something_is_in_breach(doubled_house, app) -> None:
    held = doubled_house.put()
    assert _run(app, "sweep", "--dry-run").exit_code == 0
    doubled_house.at(date(2022, 11, 2))
    told = _run(app, "sweep", "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["breaches"] == [held.id]
    after = _run(app, "sweep")
    assert (after.exit_code, "0 due" in after.stdout) == (0, True)


def test_a_certificate_is_printed_saved_and_checked_again(doubled_house, app, tmp_path: Path) -> None:
    held = doubled_house.put()
    with pytest.raises(CheckFailed, match="has no certificate: it is held"):
        commands.certificate(held.id)
    destroy(held.id, "a test")
    assert json.loads(_run(app, "certificate", held.id).stdout)["holding"] == held.id
    saved = tmp_path / "certificate.json"
    saved.write_text(_run(app, "certificate", held.id, "--json").stdout)
    assert _run(app, "certificate", str(saved)).exit_code == 0
    saved.write_text(saved.read_text().replace("raw_28_days", "raw_29_days"))
    assert _run(app, "certificate", str(saved)).exit_code == 1


def test_the_watchdogs_exit_code_is_its_answer(doubled_house, app) -> None:
    """D13."""
    assert _run(app, "watchdog").exit_code == 1
    sweep()
    told = _run(app, "watchdog", "--json")
    assert (told.exit_code, json.loads(told.stdout)["ok"]) == (0, True)


def test_the_watchdog_names_the_hold_that_causes_a_breach(doubled_house, app) -> None:
    """D12."""
    held = doubled_house.put()
    holds.place(held.id, "County Court", "claim", clock.now() + timedelta(days=99))
    doubled_house.at(date(2022, 11, 2))
    sweep()
    assert "blocked by a legal hold of County Court" in _run(app, "watchdog").output


def test_reconcile_leaves_with_one_on_a_difference(doubled_house, app) -> None:
    """D14."""
    assert _run(app, "reconcile").exit_code == 0
    objects.client("dwp").put("dwp-vault", "holdings/hld_unknown/x/00001", b"left behind")
    told = _run(app, "reconcile", "--json")
    assert (told.exit_code, json.loads(told.stdout)["unowned"]) == (1, ["dwp-vault/holdings/hld_unknown/"])


def test_the_ledger_is_exported_and_verified(doubled_house, app, tmp_path: Path) -> None:
    doubled_house.put()
    file = tmp_path / "ledger.jsonl"
    assert _run(app, "ledger_export", str(file)).exit_code == 0
    told = _run(app, "ledger_verify", str(file), "--checkpoint", f"{file}.checkpoint.json", "--json")
    assert json.loads(told.stdout)["entries"] == 1
    assert isinstance(_run(app, "ledger_verify", str(file), "--public-key", "?").exception, Misuse)


def test_leaks_are_shown_by_place_only(doubled_house, app, tmp_path: Path) -> None:
    canaries, log = tmp_path / "canaries.json", tmp_path / "log"
    canaries.write_text(json.dumps({"ninos": ["AB123456C"]}))
    log.write_text("here: AB123456C")
    told = _run(app, "leaks", str(log), "--canaries", str(canaries))
    assert told.exit_code == 1
    assert f"{log}\t6\tnino 0" in told.output
    assert "AB123456C" not in told.output
    log.write_text("nothing")
    assert _run(app, "leaks", str(log), "--canaries", str(canaries), "--json").exit_code == 0


def test_a_legal_hold_is_placed_and_lifted_by_command(doubled_house, app) -> None:
    """D12: it needs an authority, a scope and an end, and the sweep leaves the holding alone meanwhile."""
    held = doubled_house.put()
    until = (clock.now() + timedelta(days=400)).isoformat()
    placed = _run(app, "hold_place", held.id, "--authority", "High Court", "--scope", "file 7", "--until", until)
    assert placed.exit_code == 0, placed.output
    assert holds.blocks(doubled_house.register.get(held.id), clock.now())
    assert _run(app, "hold_lift", held.id).exit_code == 0
    assert not holds.blocks(doubled_house.register.get(held.id), clock.now())
    again = _run(app, "hold_lift", held.id)
    assert isinstance(again.exception, CheckFailed)
