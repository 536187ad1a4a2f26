"""Derived stores and delivered originals belong to the verification: logs, Airflow's database, landing folders (D7, N10)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from linkage import settings
from linkage.custody.destruction import originals
from linkage.custody.destruction.chain import destroy
from linkage.custody.evidence import certificate
from linkage.custody.watch import derived
from linkage.custody.watch.reconcile import reconcile
from linkage.errors import CheckFailed, DependencyUnreachable

LEAKS = {
    "a NINO": "row refused: AB123456C",
    "a NINO with spaces": "AB 12 34 56 C",
    "a NINO in small letters": "nino=ab123456c;",
    "a birthday near its postcode": "born 2009-02-28 ... SW9 7QT",
    "a postcode near its birthday": "SW97QT " + "x" * 150 + " 28/02/2009",
}
PLAIN = {
    "a log's own time and a postcode": "2022-10-03 09:00:01 somebody wrote SW9 7QT",
    "a holding and its certificate": "hld_ab123456c0d1e2f3a4b5c6d7e8f90123 Certificate crt_ab123456c0d1e2f3a4b5c6d7e8f90123",
    "a run id": "run ab123456-1234-4abc-8def-0123456789ab",
    "a deadline": "received 2022-10-03, to be gone before 2022-10-31 09:00; 1 day 5 hours early.",
    "a birthday far from a postcode": "2009-02-28" + "x" * 300 + "SW9 7QT",
    "nothing": "",
}


@pytest.mark.parametrize("line", LEAKS.values(), ids=LEAKS)
def test_what_looks_like_a_person_is_found_in_a_log(tmp_path: Path, monkeypatch, line: str) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "attempt=1.log").write_text(f"[2022-10-03T09:00:00] something\n{line}\n")
    monkeypatch.setenv("LINKAGE_DERIVED_PATHS", str(tmp_path))
    [place] = derived.scan().found
    assert place.endswith("task/attempt=1.log")


@pytest.mark.parametrize("line", PLAIN.values(), ids=PLAIN)
def test_what_every_log_says_is_not_called_a_person(tmp_path: Path, monkeypatch, line: str) -> None:
    (tmp_path / "attempt=1.log").write_text(f"[2022-10-03T09:00:00] {line}\n")
    monkeypatch.setenv("LINKAGE_DERIVED_PATHS", f"{tmp_path}:/nowhere")
    assert derived.scan().found == ()


def test_nothing_is_certified_while_a_log_shows_a_person(doubled_house, tmp_path: Path, monkeypatch) -> None:
    """D7, N10: the message names the file, never what stands in it."""
    log = tmp_path / "task.log"
    log.write_text("row refused: AB123456C\n")
    monkeypatch.setenv("LINKAGE_DERIVED_PATHS", str(tmp_path))
    held = doubled_house.put()
    with pytest.raises(CheckFailed, match=r"something like an identifier stands in \S*task\.log") as told:
        destroy(held.id, "a test")
    assert "AB123456C" not in str(told.value)
    assert doubled_house.register.certificates() == []
    log.write_text("row refused: row 7\n")
    document = certificate.read(destroy(held.id, "a test").document)
    assert document["verification"]["derived_stores"] == {"searched": [f"files under {tmp_path.name}"], "found": 0}


@pytest.mark.servers
def test_airflows_database_is_searched_in_every_text_column_and_only_named(real_house, monkeypatch) -> None:
    """D7: XCom, logs, notes: the database searches itself, and no value leaves it."""
    engine = create_engine(settings.load().derived_database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE xcom_of_a_test (key text, value jsonb)")
    try:
        assert derived.scan().found == ()
        for line in LEAKS.values():
            with engine.begin() as connection:
                connection.exec_driver_sql("DELETE FROM xcom_of_a_test")
                connection.execute(
                    text("INSERT INTO xcom_of_a_test VALUES ('k', to_jsonb(cast(:told AS text)))"), {"told": line}
                )
            assert derived.scan().found == ("table xcom_of_a_test of Airflow's database",), line
        held = real_house.put()
        with pytest.raises(CheckFailed, match="table xcom_of_a_test of Airflow's database"):
            destroy(held.id, "a test")
        for line in PLAIN.values():
            with engine.begin() as connection:
                connection.exec_driver_sql("DELETE FROM xcom_of_a_test")
                connection.execute(
                    text("INSERT INTO xcom_of_a_test VALUES ('k', to_jsonb(cast(:told AS text)))"), {"told": line}
                )
            assert derived.scan().found == (), line
        searched = certificate.read(destroy(held.id, "a test").document)["verification"]["derived_stores"]["searched"]
        assert "every text column of Airflow's database" in searched
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE xcom_of_a_test")
        engine.dispose()


def test_a_derived_store_that_cannot_be_searched_means_another_try(monkeypatch) -> None:
    monkeypatch.setenv("LINKAGE_DERIVED_DATABASE_URL", "postgresql+psycopg2://a:secret@127.0.0.1:1/x")
    with pytest.raises(DependencyUnreachable, match="cannot be searched") as told:
        derived.scan()
    assert "secret" not in str(told.value)


def test_a_delivered_original_goes_with_what_was_made_from_it_and_a_newer_file_of_its_name_stays(
    doubled_house, tmp_path: Path, monkeypatch
) -> None:
    """D7: a crash between the receipt and the removal of the file leaves it for weeks."""
    monkeypatch.setenv("LINKAGE_LANDING_DIR", str(tmp_path))
    folder = tmp_path / "police"
    folder.mkdir()
    (folder / "monday.csv").write_bytes(b"first")
    (folder / "monday.manifest.json").write_bytes(b"{}")
    held = doubled_house.put(natural_key=originals.natural_key("police", b"first", b"{}"))
    rows = doubled_house.put(
        dataset_class="quarantine", natural_key=originals.natural_key("police", b"first", b"{}") + ":rows"
    )
    assert [sum(file.files for file in originals.left(one)) for one in (held, rows)] == [2, 2]
    destroy(held.id, "a test")
    assert list(folder.iterdir()) == []
    assert certificate.read(doubled_house.register.certificate(held.id).document)["delivered_originals"] == 2
    (folder / "monday.csv").write_bytes(b"newer, under the same name")
    destroy(rows.id, "a test")
    assert [file.name for file in folder.iterdir()] == ["monday.csv"]


def test_a_delivered_file_nobody_takes_in_is_an_incident_after_a_day(
    doubled_house, tmp_path: Path, monkeypatch
) -> None:
    """D14: it has no deadline while it lies there; its name is not told."""
    import os

    monkeypatch.setenv("LINKAGE_LANDING_DIR", str(tmp_path))
    (tmp_path / "police").mkdir()
    file = tmp_path / "police" / "Jane Doe.csv"
    file.write_bytes(b"x")
    assert reconcile().ok
    os.utime(file, (0, 0))
    assert reconcile().waiting == ("landing/police",)
    assert reconcile(["dwp"]).ok


def test_a_copy_of_a_transfer_sent_again_goes_with_its_holding(doubled_house) -> None:
    """D2, D7: it is sealed under a later key, so destroying the first key would not have been enough."""
    from linkage.custody import transfers
    from linkage.custody.stores import objects

    def send() -> None:
        transfers.send(
            b"released tables",
            sender="ons-research",
            recipient="mhclg",
            dataset_class="released_tables",
            programme="troubled_families_2015_2020",
            natural_key="r1",
        )

    send()
    [held] = transfers.receive("mhclg")
    doubled_house.at(date(2022, 10, 9))
    send()
    assert objects.client("mhclg").versions("mhclg-inbox")
    told = certificate.read(destroy(held.id, "a test").document)
    assert objects.client("mhclg").versions("mhclg-inbox") == []
    assert {one["bucket"]: one["versions"] for one in told["location"]["copies"]} == {
        "mhclg-vault": 1,
        "mhclg-inbox": 2,
    }
