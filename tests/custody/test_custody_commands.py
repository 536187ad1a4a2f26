"""Custody on the command line: what is printed, and with which exit code it leaves."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from linkage import clock
from linkage.custody import holds
from linkage.custody.destruction.chain import destroy
from linkage.custody.destruction.sweep import sweep
from linkage.custody.stores import objects
from linkage.errors import CheckFailed, Misuse


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    """The `linkage` command."""
    from linkage.cli import app as command

    return command


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
    told = _run(app, "certificate", held.id)
    assert isinstance(told.exception, CheckFailed)
    assert "has no certificate: it is held" in str(told.exception)
    destroy(held.id, "a test")
    assert json.loads(_run(app, "certificate", held.id).stdout)["holding"] == held.id
    saved = tmp_path / "certificate.json"
    saved.write_text(_run(app, "certificate", held.id, "--json").stdout)
    assert _run(app, "certificate", str(saved)).exit_code == 0
    page = tmp_path / "certificate.html"
    assert _run(app, "certificate", held.id, "--html", str(page)).exit_code == 0
    assert "Certificate of destruction" in page.read_text()
    saved.write_text(saved.read_text().replace("raw_28_days", "raw_29_days"))
    assert _run(app, "certificate", str(saved)).exit_code == 1


def test_a_certificate_is_verified_offline_with_two_keys_from_elsewhere(doubled_house, app, tmp_path: Path) -> None:
    """D9, D11: neither register nor key service is there any more."""
    held = doubled_house.put()
    destroy(held.id, "a test")
    saved, verifier, witness = (tmp_path / name for name in ("certificate.json", "verifier.pem", "witness.pem"))
    saved.write_text(_run(app, "certificate", held.id, "--json").stdout)
    verifier.write_text(_run(app, "certificate", "key", "authority").stdout)
    witness.write_text(_run(app, "ledger", "key").stdout)
    doubled_house.world.down = {"objects", "keys"}
    words = ("certificate", "verify", str(saved), "--public-key", str(verifier), "--witness-key", str(witness))
    told = _run(app, *words, "--json")
    assert told.exit_code == 0
    assert json.loads(told.stdout)["checks"] == {"signature": True, "ledger_proof": True, "ledger_entry": True}
    swapped = _run(app, "certificate", "verify", str(saved), "--public-key", str(witness), "--json")
    assert (swapped.exit_code, json.loads(swapped.stdout)["checks"]["signature"]) == (1, False)


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
    assert _run(app, "ledger", "export", str(file)).exit_code == 0
    told = _run(app, "ledger", "verify", str(file), "--checkpoint", f"{file}.checkpoint.json", "--json")
    assert json.loads(told.stdout)["entries"] == 1
    assert isinstance(_run(app, "ledger", "verify", str(file), "--public-key", "?").exception, Misuse)


def test_proofs_are_printed_and_verified_with_neither_ledger_nor_register(doubled_house, app, tmp_path: Path) -> None:
    """D11: RFC 6962 inclusion and consistency, live and from an exported file."""
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl.gz"
    for file in (first, second):
        for _ in range(3):
            doubled_house.put()
        assert _run(app, "ledger", "export", str(file)).exit_code == 0
    early = f"{first}.checkpoint.json"
    key = tmp_path / "witness.pem"
    key.write_text(_run(app, "ledger", "key").stdout)
    shown = {
        "live inclusion": _run(app, "ledger", "prove", "--entry", "4"),
        "inclusion from the file": _run(app, "ledger", "prove", "--entry", "4", str(second)),
        "live consistency": _run(app, "ledger", "consistency", early, "--public-key", str(key)),
        "consistency from the file": _run(app, "ledger", "consistency", early, str(second)),
    }
    for name, told in shown.items():
        assert told.exit_code == 0, (name, told.output)
        proof = tmp_path / "proof.json"
        proof.write_text(told.stdout)
        assert _run(app, "ledger", "verify", str(proof), "--public-key", str(key)).exit_code == 0, name
        bent = json.loads(told.stdout)
        bent["path"][0] = "00" * 32
        proof.write_text(json.dumps(bent))
        assert isinstance(_run(app, "ledger", "verify", str(proof)).exception, CheckFailed), name
    backwards = _run(app, "ledger", "consistency", f"{second}.checkpoint.json", str(first))
    assert "the ledger ends after 3" in str(backwards.exception)
    assert isinstance(_run(app, "ledger", "prove", "--entry", "99").exception, Misuse)


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
    placed = _run(app, "hold", "place", held.id, "--authority", "High Court", "--scope", "file 7", "--until", until)
    assert placed.exit_code == 0, placed.output
    assert "outlasts the legal deadline" in placed.output
    assert holds.blocks(doubled_house.register.get(held.id), clock.now())
    [line] = json.loads(_run(app, "hold", "list", "--json").stdout)
    assert (line["holding"], line["authority"], line["standing"]) == (
        held.id,
        "High Court",
        "in breach from the deadline on",
    )
    assert "1 legal hold\n" in _run(app, "hold", "list").output
    assert _run(app, "hold", "lift", held.id).exit_code == 0
    assert not holds.blocks(doubled_house.register.get(held.id), clock.now())
    again = _run(app, "hold", "lift", held.id)
    assert isinstance(again.exception, CheckFailed)
