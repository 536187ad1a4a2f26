"""`linkage sandbox`: the files it writes are the frames and bytes of the generators, and link as documented."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from linkage.feeds import FEEDS
from linkage.sandbox import commands
from linkage.sandbox.partner_files import partner_deliveries
from linkage.sandbox.population import SANDBOX_AS_OF, make_population

app = typer.Typer()
for command in ("population", "feeds", "registers", "waves", "canaries", "bad_deliveries", "reidentify"):
    app.command(command)(getattr(commands, command))
BOROUGH = ["--seed", "4", "--families", "20"]


def call(*arguments: str) -> None:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output


def test_feeds_writes_every_delivery_beside_its_manifest(tmp_path: Path) -> None:
    call("feeds", *BOROUGH, "--out", str(tmp_path))
    expected = partner_deliveries(make_population(4, 20, SANDBOX_AS_OF), SANDBOX_AS_OF)
    for feed in FEEDS:
        assert (tmp_path / expected[feed].file_name).read_bytes() == expected[feed].content
        assert (tmp_path / expected[feed].manifest_name).read_bytes() == expected[feed].manifest
    assert set(json.loads((tmp_path / "truth" / "expected.json").read_text())["rows"]) == set(FEEDS)
    assert pl.read_csv(tmp_path / "truth" / "families.csv").height == 20


def test_feeds_of_another_day_are_dated_that_day(tmp_path: Path) -> None:
    call("feeds", *BOROUGH, "--out", str(tmp_path), "--as-of", "2024-02-29")
    assert (tmp_path / "schools_2024-02-29.csv").exists()


def test_population_writes_people_families_and_evidence(tmp_path: Path) -> None:
    call("population", *BOROUGH, "--out", str(tmp_path))
    people = pl.read_csv(tmp_path / "people.csv")
    families = pl.read_csv(tmp_path / "families.csv")
    assert set(people["family_ref"]) == set(families["family_ref"])
    assert (tmp_path / "evidence.csv").stat().st_size > 1_000


def test_registers_writes_files_that_the_link_command_takes(tmp_path: Path) -> None:
    call("registers", *BOROUGH, "--out", str(tmp_path), "--size", "500")
    takes = ["record_id", "forename", "surname", "date_of_birth", "gender", "address", "postcode", "nino"]
    for name in ("cohort", "dwp", "moj", "dfe"):
        assert pl.read_csv(tmp_path / f"{name}.csv", infer_schema=False).columns == takes
    assert sorted(path.name for path in (tmp_path / "dfe").iterdir()) == [
        "attendance.csv",
        "cin_spells.csv",
        "key_stage.csv",
    ]
    links = pl.read_csv(tmp_path / "truth" / "dwp.csv")
    assert set(links["record_id"]) <= set(pl.read_csv(tmp_path / "dwp.csv")["record_id"])


def test_waves_writes_both_boroughs_of_each_day_and_who_is_who(tmp_path: Path) -> None:
    days = ["2022-04-04", "2022-10-03"]
    call("waves", "--seed", "4", "--families", "40", "--out", str(tmp_path), "--on", days[0], "--on", days[1])
    for day in days:
        refs = [
            ref
            for name in ("lambeth", "southwark")
            for ref in pl.read_csv(tmp_path / day / f"{name}.csv", infer_schema=False)["record_id"]
        ]
        truth = pl.read_csv(tmp_path / day / "truth.csv", infer_schema=False)
        assert truth.columns == ["authority", "case_ref", "person_id"]
        assert set(truth["case_ref"]) <= set(refs)


def test_canaries_writes_the_patterns(tmp_path: Path) -> None:
    call("canaries", *BOROUGH, "--out", str(tmp_path / "deep" / "canaries.json"))
    assert len(json.loads((tmp_path / "deep" / "canaries.json").read_text())["names"]) == 32


def test_bad_deliveries_leaves_out_the_manifest_that_is_missing(tmp_path: Path) -> None:
    call("bad_deliveries", *BOROUGH, "--out", str(tmp_path))
    assert len(list((tmp_path / "manifest_missing").iterdir())) == 1
    assert len(list((tmp_path / "zero_bytes").iterdir())) == 2


@pytest.mark.large
def test_reidentify_prints_what_an_attacker_achieves_and_what_guessing_would() -> None:
    """N12"""
    result = CliRunner().invoke(app, ["reidentify", "--seed", "1", "--families", "300", "--json"])
    told = json.loads(result.stdout)
    assert [len(told[unit]) for unit in ("people", "families")] == [4, 3]
    assert told["people"][0]["unique"] <= 0.001 < told["people"][-1]["unique"]
    assert told["people"][0]["baseline"] > 0
