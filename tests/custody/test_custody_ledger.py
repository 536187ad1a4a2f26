"""The ledger: batch by batch, append-only, checkable offline (D10, D11)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linkage.custody import keys, ledger, objects
from linkage.errors import CheckFailed, Misuse


@pytest.fixture
def exported(house, tmp_path: Path) -> Path:
    """A ledger of six entries, exported."""
    for number in range(6):
        ledger.record("note", {"number": number})
    file = tmp_path / "ledger.jsonl"
    assert ledger.export(file) == 6
    return file


def _witnessed(file: Path) -> Path:
    return file.with_name(file.name + ".checkpoint.json")


def test_an_untouched_export_verifies_offline(exported: Path) -> None:
    told = ledger.verify(exported, _witnessed(exported))
    assert (told["entries"], told["checked_to"]) == (6, 6)
    assert ledger.verify(exported)["entries"] == 6


@pytest.mark.parametrize(
    "harm",
    [
        lambda lines: [*lines[:3], lines[3].replace('"number":2', '"number":9'), *lines[4:]],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: lines[:-1],
        lambda lines: lines[:1],
        lambda lines: [*lines[:2], "rubbish", *lines[3:]],
    ],
    ids=["edited", "reordered", "head cut", "tail cut", "all cut", "rubbish"],
)
def test_every_harm_to_the_export_is_found(exported: Path, harm) -> None:
    exported.write_text("\n".join(harm(exported.read_text().splitlines())) + "\n")
    with pytest.raises(CheckFailed, match="D11"):
        ledger.verify(exported, _witnessed(exported))


def test_a_cut_ledger_that_is_signed_anew_is_found_by_the_witnesss_own_checkpoint(exported: Path) -> None:
    """Tail truncation: the head line is replaced too, but not what the witness keeps."""
    lines = exported.read_text().splitlines()
    signed = ledger._sign(3, ledger.merkle.root([ledger.merkle.leaf_hash(leaf.encode()) for leaf in lines[1:4]]))
    head = json.dumps({"ledger": ledger.asdict(signed)})
    exported.write_text("\n".join([head, *lines[1:4]]) + "\n")
    assert ledger.verify(exported)["entries"] == 3
    with pytest.raises(CheckFailed, match="covers 6 entries, the file ends after 3"):
        ledger.verify(exported, _witnessed(exported))


def test_a_checkpoint_nobody_signed_is_refused(exported: Path) -> None:
    told = json.loads(_witnessed(exported).read_text())
    _witnessed(exported).write_text(json.dumps({**told, "size": 5}))
    with pytest.raises(CheckFailed, match="signature"):
        ledger.verify(exported, _witnessed(exported))
    with pytest.raises(CheckFailed, match="signature"):
        ledger.verify(exported, public_key=bytes(32))


def test_missing_and_foreign_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="no such file"):
        ledger.verify(tmp_path / "none")
    (tmp_path / "foreign").write_text("hello\n")
    with pytest.raises(CheckFailed, match="not an exported ledger"):
        ledger.verify(tmp_path / "foreign")


def test_the_live_ledger_agrees_with_every_checkpoint(house) -> None:
    before = len(ledger.witnessed())
    if before and house.real:
        pytest.skip("the witness's bucket keeps the checkpoints of earlier ledgers: nobody can empty it")
    ledger.record("note", {"number": 1})
    ledger.checkpoint()
    ledger.record("note", {"number": 2})
    ledger.checkpoint()
    assert ledger.verify_live() == {"entries": 2, "ok": True, "checkpoints": 2}


def test_a_ledger_rewritten_in_the_database_is_found(doubled_house) -> None:
    """D11: an administrator who drops the triggers cannot rewrite what the witness has signed."""
    for number in range(3):
        ledger.record("note", {"number": number})
    ledger.checkpoint()
    with doubled_house.register.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_kept")
        connection.exec_driver_sql("DELETE FROM ledger_entries WHERE seq = 2")
    assert ledger.verify_live()["ok"] is False


def test_an_entry_is_proved_to_be_in_the_log(house) -> None:
    for number in range(5):
        seq = ledger.record("note", {"number": number})
    told = ledger.proof(seq)
    assert ledger.proved(told, keys.service("witness").public_key("sign-witness"))
    assert not ledger.proved({**told, "leaf": told["leaf"].replace("4", "5")})
    assert not ledger.proved(told, bytes(32))


def test_the_same_fact_told_twice_is_one_entry(house) -> None:
    assert ledger.record("note", {"n": 1}, once="a") == ledger.record("note", {"n": 1}, once="a")


@pytest.mark.parametrize(
    "facts",
    [
        {"name": "x"},
        {"date_of_birth": "x"},
        {"remark": "see QQ 12 34 56 C".replace("QQ", "AB")},
        {"store": "dwp", "rows": 3},
        {"recipient": "moj", "matched": 3},
        {"holder": "dfe", "persons": 3},
    ],
)
def test_facts_about_persons_and_counts_at_departments_are_refused(doubled_house, facts: dict) -> None:
    """D10."""
    with pytest.raises(CheckFailed, match="D10"):
        ledger.record("note", facts)


@pytest.mark.servers
def test_the_witness_cannot_be_robbed_of_a_checkpoint(real_house) -> None:
    """D11: the second place is locked; neither the witness nor a store deletes there."""
    ledger.record("note", {"n": 1})
    ledger.checkpoint()
    kept = len(ledger.witnessed())
    for principal in ("witness", "authority"):
        with pytest.raises(Exception, match="refused|right"):
            objects.client(principal).purge(ledger.WITNESS_BUCKET, "checkpoints/")
    assert len(ledger.witnessed()) == kept
