"""`linkage families`: a folder of deliveries in, one line per family out; corrections, repeats and bad files."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest
import typer
from early_help_cases import AS_OF
from typer.testing import CliRunner

from linkage.early_help.commands import families, partner_list
from linkage.early_help.deliveries import read_deliveries
from linkage.errors import FlowRefused, Misuse
from linkage.sandbox.partner_files import Delivery, partner_deliveries
from linkage.sandbox.population import Population, make_population

app = typer.Typer()
app.command()(families)


@pytest.fixture(scope="module")
def population() -> Population:
    return make_population(7, 12, AS_OF)


@pytest.fixture(scope="module")
def delivered(population: Population) -> dict[str, Delivery]:
    return partner_deliveries(population, AS_OF)


@pytest.fixture
def folder(tmp_path: Path, delivered: dict[str, Delivery]) -> Path:
    for one in delivered.values():
        (tmp_path / one.file_name).write_bytes(one.content)
        (tmp_path / one.manifest_name).write_bytes(one.manifest or b"")
    return tmp_path


def run(folder: Path, *options: str) -> list[dict[str, str]]:
    out = folder / "out" / "families.csv"
    result = CliRunner().invoke(app, [str(folder), "--as-of", str(AS_OF), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    with out.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_assessed_family_has_a_row_with_the_agreed_columns(folder: Path, population: Population) -> None:
    rows = run(folder)
    assert list(rows[0]) == ["family_ref", "issues", "issue_count", "rank", "identified", "reasons"]
    assert sorted(row["family_ref"] for row in rows) == sorted(population.families["family_ref"])
    assert [row["rank"] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]


def test_the_same_file_a_day_later_changes_nothing(folder: Path, delivered: dict[str, Delivery]) -> None:
    before = run(folder)
    again = AS_OF.replace(day=2)
    (folder / f"health_{again}.csv").write_bytes(delivered["health"].content)
    assert run(folder) == before


def test_a_corrected_delivery_supersedes_the_earlier_one(folder: Path, delivered: dict[str, Delivery]) -> None:
    """The newest by its date; one dated after the as-of date is not known yet."""
    header = delivered["police"].content.splitlines(keepends=True)
    (folder / "police_2022-10-02.csv").write_bytes(b"".join(header[:5]))
    (folder / "police_2022-10-04.csv").write_bytes(b"".join(header[:5]))
    told = {one.feed: one.file_name for one, frame in read_deliveries(folder, AS_OF) if frame is not None}
    assert told["police"] == "police_2022-10-03.csv"
    later = {one.feed: one.file_name for one, frame in read_deliveries(folder, date(2022, 10, 4)) if frame is not None}
    assert later["police"] == "police_2022-10-04.csv"


def test_where_the_newest_is_refused_the_one_before_stays_in_force(
    folder: Path, delivered: dict[str, Delivery]
) -> None:
    older = folder / "health_2022-09-01.csv"
    older.write_bytes(delivered["health"].content)
    (folder / delivered["health"].file_name).write_bytes(b"")
    looked = [(one.file_name, one.reason) for one, _ in read_deliveries(folder, AS_OF) if one.feed == "health"]
    assert looked == [("health_2022-10-03.csv", "zero_bytes"), ("health_2022-09-01.csv", None)]


def test_a_manifest_that_does_not_fit_its_file_is_not_overlooked(folder: Path) -> None:
    path = folder / "housing_2022-10-03.csv"
    path.write_bytes(path.read_bytes() + b"\r\n")
    reasons = {one.feed: one.reason for one, _ in read_deliveries(folder, AS_OF)}
    assert reasons["housing"] == "checksum_mismatch"


def test_a_feed_that_did_not_arrive_is_told_and_not_taken_for_an_answer(
    folder: Path, delivered: dict[str, Delivery]
) -> None:
    (folder / delivered["health"].file_name).unlink()
    rows = run(folder)
    assert all("health" not in row["issues"] or "health: direct referral" in row["reasons"] for row in rows)
    assert any("not supplied: " in row["reasons"] and "health" in row["reasons"] for row in rows)


def test_messages_hold_counts_and_names_of_feeds_and_never_a_value(folder: Path, population: Population) -> None:
    out = folder / "families.csv"
    result = CliRunner().invoke(app, [str(folder), "--as-of", str(AS_OF), "--out", str(out)])
    assert "health: " in result.stderr
    assert not [one for one in population.people["surname"].unique() if one in result.output]


def test_the_same_rows_in_another_order_give_the_same_file_byte_for_byte(
    folder: Path, delivered: dict[str, Delivery]
) -> None:
    """N2: reproducible as of any date, whatever order a partner's system writes in."""
    run(folder)
    before = (folder / "out" / "families.csv").read_bytes()
    for feed, one in delivered.items():
        if feed != "children_services":
            header, *rows = one.content.splitlines(keepends=True)
            (folder / one.file_name).write_bytes(b"".join([header, *reversed(rows)]))
            (folder / one.manifest_name).unlink()
    run(folder)
    assert (folder / "out" / "families.csv").read_bytes() == before


def test_what_changed_since_an_earlier_list_is_told_family_by_family(folder: Path) -> None:
    run(folder)
    earlier = folder / "earlier.csv"
    (folder / "out" / "families.csv").rename(earlier)
    assert {row["change"] for row in run(folder, "--since", str(earlier))} == {"same"}
    (folder / "health_2022-10-03.csv").unlink()
    (folder / "health_2022-10-03.manifest.json").unlink()
    rows = run(folder, "--since", str(earlier), "--positions")
    lost = [row for row in rows if "no longer shows health" in row["change_told"]]
    assert lost and {row["change"] for row in lost} <= {"no longer identified", "issues changed"}
    assert all(row["position"].startswith(f"rank {row['rank']} of {len(rows)}") for row in rows)


def test_something_else_given_as_the_earlier_list_is_refused_without_a_value(folder: Path) -> None:
    wrong = folder / "wrong.csv"
    wrong.write_text("family_ref,secret\nF1,Ochterlony\n")
    arguments = [str(folder), "--as-of", str(AS_OF), "--out", str(folder / "x.csv"), "--since", str(wrong)]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, Misuse) and "not a list that" in str(result.exception)
    assert "Ochterlony" not in f"{result.exception}{result.output}"
    assert not (folder / "x.csv").exists()


def test_a_partner_is_told_its_own_references_and_only_the_columns_it_may_see(folder: Path) -> None:
    """N3, N20: and a partner without an entry is told nothing."""
    told = typer.Typer()
    told.command()(partner_list)
    out = folder / "schools.csv"
    arguments = [str(folder), "schools", "--as-of", str(AS_OF), "--out", str(out)]
    assert CliRunner().invoke(told, arguments).exit_code == 0
    with out.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert rows and set(rows[0]) == {"person_ref"}
    delivered = (folder / "schools_2022-10-03.csv").read_text()
    assert all(row["person_ref"] in delivered for row in rows)
    refused = CliRunner().invoke(told, [str(folder), "police", "--as-of", str(AS_OF), "--out", str(folder / "p.csv")])
    assert isinstance(refused.exception, FlowRefused) and not (folder / "p.csv").exists()


def test_a_folder_without_deliveries_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(Misuse, match="no delivery named"):
        list(read_deliveries(tmp_path, AS_OF))
    with pytest.raises(Misuse, match="does not exist"):
        list(read_deliveries(tmp_path / "nowhere", AS_OF))


def test_a_name_without_a_real_date_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "health_2022-02-30.csv").write_text("x")
    with pytest.raises(Misuse, match="health_2022-02-30.csv"):
        list(read_deliveries(tmp_path, AS_OF))


def test_a_date_before_the_criteria_is_refused_by_rule(folder: Path) -> None:
    arguments = [str(folder), "--as-of", "2014-01-01", "--out", str(folder / "x.csv")]
    assert isinstance(CliRunner().invoke(app, arguments).exception, FlowRefused)
