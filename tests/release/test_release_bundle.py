"""What MHCLG receives: tables as CSV and spreadsheet, metadata, charts; nothing else, and the same bytes each time (R1, R5)."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import replace

import polars as pl
import pytest

from linkage.errors import CheckFailed
from linkage.release import bundle, rules, spreadsheet
from linkage.release.check import settle
from linkage.release.tables import ReleaseSpec, Table

POLICY = rules.load()
ROWS = [("lambeth", "assessed", 102), ("lambeth", "joined", 48), ("lambeth", "invited", 60), ("lambeth", "closed", 3),
        ("barnet", "assessed", 98), ("barnet", "joined", 71), ("barnet", "invited", 33), ("barnet", "closed", 40)]  # fmt: skip


@pytest.fixture(scope="module")
def table() -> Table:
    frame = pl.DataFrame(ROWS, schema=["authority", "status", "individuals"], orient="row")
    spec = ReleaseSpec("2022-autumn-status", "authority_by_status", "2022-autumn")
    protected = settle(Table(spec, frame.with_columns(families=pl.col("individuals")))).protected
    assert protected is not None
    return Table(spec, protected)


@pytest.fixture(scope="module")
def data(table: Table) -> bytes:
    return bundle.pack([table])


def files(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sheets(data: bytes) -> dict[str, list[list[object]]]:
    """The spreadsheet as another program reads it."""
    import odfdo

    document = odfdo.Document(io.BytesIO(data))
    return {sheet.name: [list(row) for row in sheet.get_values()] for sheet in document.body.tables}


def test_a_bundle_has_a_csv_file_metadata_and_a_chart_for_each_table_and_one_spreadsheet(data: bytes) -> None:
    endings = {name.removeprefix("2022-autumn-status") for name in files(data)}
    assert endings == {".csv", ".toml", ".csv-metadata.json", ".png", ".svg", ".txt", "tables.ods"}


def test_the_bundle_is_clean_and_the_same_bytes_when_made_again(table: Table, data: bytes) -> None:
    """R1, R5: what is hashed for approval does not hang on the day it was made."""
    bundle.require_clean(data)  # which makes it again
    assert bundle.digest(data) != bundle.digest(data + b"x")
    (back,) = bundle.unpack(data)
    assert back.spec == table.spec
    assert back.frame.equals(table.frame)


def test_several_tables_make_the_same_bundle_in_whatever_order_they_come(table: Table) -> None:
    """R5: and it is clean, which means that its tables make it again."""
    other = Table(replace(table.spec, name="2022-autumn-benefit"), table.frame)
    one = bundle.pack([table, other])
    assert one == bundle.pack([other, table])
    bundle.require_clean(one)


def test_the_spreadsheet_says_what_the_csv_file_says(table: Table, data: bytes) -> None:
    """Cover sheet, notes, one table a sheet, numbers as numbers, hidden ones marked."""
    read = sheets(files(data)["tables.ods"])
    assert list(read) == ["Cover_sheet", "Notes", "Table_1"]
    head, *rows = read["Table_1"][2:]
    assert [str(cell) for cell in head] == table.frame.columns
    assert [tuple(str(cell) for cell in row) for row in rows] == table.frame.rows()
    assert any("[c]" in str(cell) and "confidentiality" in str(cell) for row in read["Notes"] for cell in row)


def test_the_chart_shows_released_numbers_only_and_says_where_one_is_hidden(table: Table, data: bytes) -> None:
    svg = files(data)["2022-autumn-status.svg"].decode()
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    numbers = [text for text in texts if re.fullmatch(r"[\d.]+", text)]
    assert numbers
    assert set(numbers) <= set(table.frame["individuals"])
    leaves = table.frame.filter((pl.col("authority") != "Total") & (pl.col("status") != "Total"))
    assert texts.count("[c]") == (leaves["individuals"] == "[c]").sum() > 0
    assert "Bar chart" in svg
    assert b"Bar chart" in files(data)["2022-autumn-status.png"], "the picture says in words what it shows"


def test_the_metadata_describes_every_column(table: Table, data: bytes) -> None:
    told = json.loads(files(data)["2022-autumn-status.csv-metadata.json"])
    assert told["url"] == "2022-autumn-status.csv"
    assert [column["name"] for column in told["tableSchema"]["columns"]] == table.frame.columns


def repacked(data: bytes, change: dict[str, bytes]) -> bytes:
    return spreadsheet.write_zip(sorted((files(data) | change).items()))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("microdata.parquet", b"PAR1"),
        ("people/2022-autumn-status.csv", b"a\n1\n"),
        ("2022-autumn-status.txt", b"ask AB123456C"),
        ("2022-autumn-status.csv-metadata.json", b'{"note": "a@b.org"}'),
        ("2022-autumn-status.csv", b"authority,status\nSW2 1AA,joined\n"),
    ],
)
def test_a_file_of_another_kind_or_with_an_identifier_in_it_is_refused(data: bytes, name: str, content: bytes) -> None:
    """R1"""
    with pytest.raises(CheckFailed, match="R1") as caught:
        bundle.require_clean(repacked(data, {name: content}))
    assert "AB123456C" not in str(caught.value)


def test_an_identifier_inside_the_spreadsheet_is_refused(table: Table, data: bytes) -> None:
    """R1: the spreadsheet is a file of files; what is in it is read as well."""
    with zipfile.ZipFile(io.BytesIO(files(data)["tables.ods"])) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    inside["content.xml"] = inside["content.xml"].replace(b">lambeth<", b">943 476 5919<", 1)
    changed = spreadsheet.write_zip(inside.items())
    with pytest.raises(CheckFailed, match="identifier_nhs_number"):
        bundle.require_clean(repacked(data, {"tables.ods": changed}))
    inside["Pictures/page.png"] = b"scan"
    with pytest.raises(CheckFailed, match="unreadable"):
        bundle.require_clean(repacked(data, {"tables.ods": spreadsheet.write_zip(inside.items())}))


def test_an_identifier_hidden_in_a_picture_is_refused(data: bytes) -> None:
    """R1: text chunks are read, other chunks and bytes behind the picture are refused."""
    name = "2022-autumn-status.png"
    picture = files(data)[name]
    told = picture.replace(b"2022-autumn.", b"AB123456C  .", 1)
    assert told != picture
    with pytest.raises(CheckFailed, match="identifier_nino"):
        bundle.require_clean(repacked(data, {name: told}))
    with pytest.raises(CheckFailed, match="unreadable"):
        bundle.require_clean(repacked(data, {name: picture + b"PK"}))


def test_a_number_that_only_the_spreadsheet_shows_is_refused(data: bytes) -> None:
    """R1: everything but the tables must be what the tables make."""
    with zipfile.ZipFile(io.BytesIO(files(data)["tables.ods"])) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    inside["content.xml"] = inside["content.xml"].replace(b">[c]<", b">3<", 1)
    with pytest.raises(CheckFailed, match="do not make"):
        bundle.require_clean(repacked(data, {"tables.ods": spreadsheet.write_zip(inside.items())}))


def test_bytes_that_are_no_bundle_are_refused() -> None:
    with pytest.raises(CheckFailed):
        bundle.unpack(b"not a bundle")
