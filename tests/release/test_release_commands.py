"""`linkage release check`: verdict on stdout, exit code, protected table, earlier releases in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from linkage.errors import CheckFailed, Misuse
from linkage.release.commands import check

SPEC = 'name = "status"\nshape = "authority_by_status"\npopulation = "2022-autumn"\n'
LARGE = "authority,status,individuals,families\nlambeth,assessed,102,41\nlambeth,invited,63,27\nlambeth,joined,48,18\n"
app = typer.Typer()
app.command()(check)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.toml"
    path.write_text(SPEC)
    return path


def run(*arguments: str | Path) -> tuple[dict[str, object], BaseException | None]:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    return (json.loads(result.stdout) if result.stdout else {}), result.exception


def test_a_safe_table_passes_with_its_protected_rows(tmp_path: Path, spec: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text(LARGE)
    told, error = run(table, "--spec", spec, "--out", tmp_path / "p.csv")
    assert error is None
    assert (told["verdict"], told["findings"]) == ("pass", [])
    written = pl.read_csv(tmp_path / "p.csv", infer_schema=False)
    assert written["individuals"].to_list() == ["100", "65", "50", "215"]


def test_a_small_cell_fails_and_the_protected_table_passes_when_it_comes_back(tmp_path: Path, spec: Path) -> None:
    table, safe = tmp_path / "t.csv", tmp_path / "p.csv"
    table.write_text(LARGE + "lambeth,closed,4,2\n")
    told, error = run(table, "--spec", spec, "--out", safe)
    assert isinstance(error, CheckFailed)
    assert told["verdict"] == "fail"
    again, error = run(safe, "--spec", spec)
    assert error is None
    assert again["verdict"] == "pass"


def test_earlier_releases_are_read_from_a_folder(tmp_path: Path, spec: Path) -> None:
    """R4."""
    table, folder = tmp_path / "t.csv", tmp_path / "earlier"
    folder.mkdir()
    table.write_text(LARGE)
    run(table, "--spec", spec, "--out", folder / "first.csv")
    (folder / "first.toml").write_text(SPEC)
    table.write_text(LARGE.replace("48,18", "47,18"))
    told, _ = run(table, "--spec", spec, "--earlier", folder)
    assert "small_difference" in {finding["reason"] for finding in told["findings"]}


def test_an_earlier_release_without_its_spec_stops_the_check(tmp_path: Path, spec: Path) -> None:
    (tmp_path / "t.csv").write_text(LARGE)
    folder = tmp_path / "earlier"
    folder.mkdir()
    (folder / "first.csv").write_text(LARGE)
    _, error = run(tmp_path / "t.csv", "--spec", spec, "--earlier", folder)
    assert isinstance(error, Misuse)


@pytest.mark.parametrize(
    ("name", "content"), [("t.xlsx", b"PK"), ("t.csv", b"\xff\xfe\x00"), ("t.csv", b"a,b\n1,2,3\n")]
)
def test_what_is_not_a_csv_table_is_refused_without_quoting_it(
    tmp_path: Path, spec: Path, name: str, content: bytes
) -> None:
    """R1."""
    (tmp_path / name).write_bytes(content)
    told, error = run(tmp_path / name, "--spec", spec)
    assert isinstance(error, CheckFailed)
    assert told["verdict"] == "fail"
    assert {finding["rule"] for finding in told["findings"]} == {"R1"}


@pytest.mark.parametrize("name", ["t.xlsx", "t.parquet", "t"])
def test_a_file_type_nobody_allowed_is_denied_whatever_it_holds(tmp_path: Path, spec: Path, name: str) -> None:
    """R1."""
    (tmp_path / name).write_text(LARGE)
    told, error = run(tmp_path / name, "--spec", spec)
    assert isinstance(error, CheckFailed)
    assert told["findings"] == [{"rule": "R1", "reason": "file_type_not_allowed"}]


def test_the_example_in_the_manual_works(tmp_path: Path) -> None:
    """docs/release.md shows a table and its spec; they must pass as written."""
    manual = (Path(__file__).parents[2] / "docs" / "release.md").read_text(encoding="utf-8")
    (tmp_path / "t.csv").write_text(manual.split("```csv\n")[1].split("```")[0])
    (tmp_path / "s.toml").write_text(manual.split("```toml\n")[1].split("```")[0])
    told, error = run(tmp_path / "t.csv", "--spec", tmp_path / "s.toml")
    assert isinstance(error, CheckFailed), "the manual's table has a small cell"
    assert {"rule": "R2", "reason": "below_threshold", "cell": {"authority": "lambeth", "status": "closed"}} in told[
        "findings"
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"name = ",
        b'name = "x"\nshape = "authority_by_status"\n',
        b'name = "x"\nshape = "authority_by_status"\npopulation = "w"\nthreshold = "1"\n',
        b'name = "x"\nshape = 4\npopulation = "w"\n',
        b'name = ["x"]\nshape = "authority_by_status"\npopulation = "w"\n',
        b"\xff\xfe",
    ],
)
def test_a_malformed_spec_is_refused_with_what_it_needs(tmp_path: Path, content: bytes) -> None:
    """A usage error (exit code 2) that names the file and the keys; nobody lowers a threshold from a spec."""
    table, spec = tmp_path / "t.csv", tmp_path / "bad.toml"
    table.write_text(LARGE)
    spec.write_bytes(content)
    told, error = run(table, "--spec", spec)
    assert told == {}
    assert isinstance(error, Misuse)
    assert "bad.toml" in str(error)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("authority,status,individuals\nlambeth,joined,40\n", "column_missing"),
        ("authority,status,individuals,families\n", "no_rows"),
        ("authority,status,individuals,families\nlambeth,joined,40,20\nlambeth,joined,50,20\n", "cell_given_twice"),
        ("authority,status,individuals,families\nlambeth,joined,forty,20\n", "not_a_count"),
        ("authority,status,individuals,families\nlambeth,joined,,20\n", "not_a_count"),
        ("authority,status,individuals,families\nlambeth,joined,99999999999,20\n", "not_a_count"),
        ("authority,status,individuals,families\n,joined,40,20\n", "category_not_declared"),
        ("authority,status,individuals,families\nlambeth,Total,40,20\nlambeth,joined,40,20\n", "total_not_declared"),
        ("authority,status,individuals,families,status\nlambeth,joined,40,20,x\n", "column_not_declared"),
    ],
)
def test_a_malformed_table_is_told_what_is_wrong_and_where(tmp_path: Path, spec: Path, body: str, reason: str) -> None:
    """R1, R2: a finding, not a stack trace, and no protected version."""
    (tmp_path / "t.csv").write_text(body)
    told, error = run(tmp_path / "t.csv", "--spec", spec)
    assert isinstance(error, CheckFailed)
    assert reason in {finding["reason"] for finding in told["findings"]}
    assert told["protected"] is None
