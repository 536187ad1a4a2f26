"""The ledger: batch by batch, append-only, checkable offline (D10, D11)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from linkage.custody import keys
from linkage.custody.evidence import ledger, merkle
from linkage.custody.evidence import offline as evidence
from linkage.custody.stores import objects
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
    told = evidence.verify(exported, _witnessed(exported))
    assert (told["entries"], told["checked_to"]) == (6, 6)
    assert evidence.verify(exported)["entries"] == 6


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
        evidence.verify(exported, _witnessed(exported))


def test_a_cut_ledger_that_is_signed_anew_is_found_by_the_witnesss_own_checkpoint(exported: Path) -> None:
    """Tail truncation: the head line is replaced too, but not what the witness keeps."""
    lines = exported.read_text().splitlines()
    signed = ledger._sign(3, merkle.root([merkle.leaf_hash(leaf.encode()) for leaf in lines[1:4]]))
    head = json.dumps({"ledger": signed.told()})
    exported.write_text("\n".join([head, *lines[1:4]]) + "\n")
    assert evidence.verify(exported)["entries"] == 3
    with pytest.raises(CheckFailed, match="covers 6 entries, the file ends after 3"):
        evidence.verify(exported, _witnessed(exported))


def test_a_checkpoint_nobody_signed_is_refused(exported: Path) -> None:
    told = json.loads(_witnessed(exported).read_text())
    _witnessed(exported).write_text(json.dumps({**told, "size": 5}))
    with pytest.raises(CheckFailed, match="signature"):
        evidence.verify(exported, _witnessed(exported))
    with pytest.raises(CheckFailed, match="signature"):
        evidence.verify(exported, public_key=bytes(32))


def test_missing_and_foreign_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="no such file"):
        evidence.verify(tmp_path / "none")
    (tmp_path / "foreign").write_text("hello\n")
    with pytest.raises(CheckFailed, match="not an exported ledger"):
        evidence.verify(tmp_path / "foreign")


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
    assert evidence.proved(told, keys.service("witness").public_key("sign-witness"))
    assert not evidence.proved({**told, "leaf": told["leaf"].replace("4", "5")})
    assert not evidence.proved(told, bytes(32))


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
        with pytest.raises(Exception, match="refused|right|AccessDenied"):
            objects.client(principal).purge(ledger.WITNESS_BUCKET, "checkpoints/")
    assert len(ledger.witnessed()) == kept


def test_a_batch_is_one_append_in_order_and_what_is_known_is_not_written_again(house) -> None:
    ledger.record("note", {"n": 0}, once="zero")
    entries = [ledger.Entry("note", {"n": number}, once) for number, once in enumerate(["zero", "one", "one", None])]
    with house.register.transaction() as session:
        assert ledger.append_all(session, entries) == [0, 1, 1, 2]
        assert [json.loads(leaf)["facts"]["n"] for leaf in ledger.leaves(session)] == [0, 1, 3]


def test_what_a_transaction_gave_up_leaves_no_gap(house) -> None:
    with house.register.transaction() as session:
        ledger.append(session, "note", {"n": 1})
        session.rollback()
    assert ledger.record("note", {"n": 2}) == 0


def test_heads_and_proofs_from_kept_subtrees_are_those_of_the_whole_tree(doubled_house) -> None:
    """D11: every size to 24, every entry, every earlier size; worked out anew from the leaves."""
    with doubled_house.register.transaction() as session:
        for size in range(1, 25):
            ledger.append(session, "note", {"n": size})
            hashes = [merkle.leaf_hash(leaf.encode()) for leaf in ledger.leaves(session)]
            assert ledger._frontier(session).head() == merkle.root(hashes)
            for index in range(size):
                ranges = merkle.inclusion_ranges(index, size)
                assert ledger._range_heads(session, ranges) == merkle.inclusion(hashes, index)
            for earlier in range(1, size + 1):
                ranges = merkle.consistency_ranges(earlier, size)
                assert ledger._range_heads(session, ranges) == merkle.consistency(hashes, earlier)


def test_an_altered_subtree_is_found(doubled_house) -> None:
    """D11: what is kept beside the leaves is worked out anew as well."""
    for number in range(4):
        ledger.record("note", {"number": number})
    assert ledger.verify_live()["ok"]
    with doubled_house.register.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_unchanged")
        connection.exec_driver_sql("UPDATE ledger_entries SET subtrees = zeroblob(64) WHERE seq = 3")
    assert ledger.verify_live()["ok"] is False


def test_an_entry_that_is_missing_stops_the_next_append_with_its_number(doubled_house) -> None:
    """D11."""
    for number in range(4):
        ledger.record("note", {"number": number})
    with doubled_house.register.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_kept")
        connection.exec_driver_sql("DELETE FROM ledger_entries WHERE seq = 1")
    ledger.record("note", {"number": 4})
    with doubled_house.register.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ledger_entries WHERE seq = 3")
    with pytest.raises(CheckFailed, match="D11: the ledger lacks entry 3"):
        ledger.record("note", {"number": 5})
    assert ledger.verify_live()["ok"] is False


@pytest.mark.servers
def test_writers_at_once_leave_one_unbroken_ledger(real_house) -> None:
    """Four writers, one by one and in batches: no number twice, no gap, and the tree is that of the leaves."""

    def write(writer: int) -> list[int]:
        told = [ledger.record("note", {"writer": writer, "n": number}) for number in range(10)]
        with real_house.register.transaction() as session:
            return told + ledger.append_all(session, [ledger.Entry("note", {"writer": writer})] * 15)

    with ThreadPoolExecutor(4) as writers:
        numbers = [seq for told in writers.map(write, range(4)) for seq in told]
    assert sorted(numbers) == list(range(100))
    with real_house.register.transaction() as session:
        hashes = [merkle.leaf_hash(leaf.encode()) for leaf in ledger.leaves(session)]
        assert ledger._frontier(session).head() == merkle.root(hashes)


@pytest.mark.servers
def test_a_ledger_from_before_the_subtrees_is_completed_and_stays_append_only(real_house) -> None:
    """The migration writes beside each leaf what follows from it, and leaves the guard in force."""
    _completed(real_house)


def test_a_ledger_on_sqlite_from_before_the_subtrees_is_completed_too(doubled_house) -> None:
    _completed(doubled_house)


def _completed(house) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    from linkage.custody.migrations.versions import r0004_ledger_tree

    for number in range(9):
        ledger.record("note", {"number": number})
    kept = [row.subtrees for row in ledger._rows()]
    with house.register.engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX ix_ledger_kind")
        connection.exec_driver_sql("ALTER TABLE ledger_entries DROP COLUMN subtrees")
        with Operations.context(MigrationContext.configure(connection)):
            r0004_ledger_tree.upgrade()
    assert [row.subtrees for row in ledger._rows()] == kept
    with pytest.raises(CheckFailed, match="D11"), house.register.transaction() as session:
        session.execute(text("UPDATE ledger_entries SET kind = 'other' WHERE seq = 1"))
