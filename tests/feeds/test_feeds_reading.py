"""From bytes to text rows: what is read exactly, what is refused, and that nothing of a value is told."""

from __future__ import annotations

import csv
import io
from datetime import date

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.feeds import csv_rows, loading
from linkage.feeds.check import check_delivery
from linkage.feeds.contract import Contract
from linkage.feeds.reading import read

DAY = date(2022, 10, 3)
HEALTH = loading.load("health")
CENSUS = loading.load("children_services")


def small(contract: Contract, **limits: int) -> Contract:
    return contract.model_copy(update={"limits": contract.limits.model_copy(update=limits)})


def as_csv(rows: list[list[str]], header: list[str] = HEALTH.names) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    return out.getvalue().encode()


def census(inside: str, head: str = "") -> bytes:
    collection = "<Header><CollectionDetails><Collection>CIN</Collection></CollectionDetails></Header>"
    return f"{head}<Message>{collection}<Children>{inside}</Children></Message>".encode()


# Without \x1c to \x1f: white space to Python, not to Unicode, by which blanks are told.
cells = st.text(st.characters(exclude_characters="\x00\x1c\x1d\x1e\x1f", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=40)
@given(st.lists(st.lists(cells, min_size=12, max_size=12), min_size=1, max_size=8))
def test_any_text_in_quotes_is_read_back_exactly(rows: list[list[str]]) -> None:
    text = read(as_csv(rows), HEALTH)
    assert text.refused is None
    numbered = {number: row for number, row in enumerate(rows, start=1)}
    for row_no, *values in text.frame.iter_rows():
        delivered = [cell if cell.strip() else None for cell in numbered.pop(row_no)]
        assert [value or "" for value in values] == [cell or "" for cell in delivered]
    assert all(not "".join(row).strip() for row in numbered.values())
    assert text.broken["reason"].to_list() == ["blank_row"] * len(numbered)


@settings(max_examples=80)
@given(st.binary(max_size=200), st.sampled_from([b"", as_csv([["x"] * 12]), census("<Child></Child>")]))
def test_no_bytes_whatever_raise_anything(noise: bytes, before: bytes) -> None:
    for contract in (HEALTH, CENSUS):
        text = read(before + noise, contract)
        assert (text.refused is None) == (text.records > 0)


@settings(max_examples=40)
@given(st.integers(min_value=0, max_value=10_000))
def test_a_file_cut_anywhere_is_refused_or_loses_whole_rows_and_at_most_its_last_cell(cut: int) -> None:
    """An empty last cell could be meant: only the manifest's checksum tells it from a cut one."""
    rows = [[f"r{row}c{column},x" for column in range(12)] for row in range(5)]
    whole = as_csv(rows)
    text = read(whole[: len(whole) - 1 - cut % len(whole)], HEALTH)
    if text.refused is None:
        left = [list(row) for row in text.frame.drop("row_no").iter_rows()]
        left[-1][-1] = left[-1][-1] or rows[len(left) - 1][-1]
        assert left == rows[: len(left)]


def test_a_file_over_the_limit_of_bytes_is_refused_unread() -> None:
    content = as_csv([["x"] * 12])
    assert read(content, small(HEALTH, max_bytes=len(content) - 1)).refused == "too_large"
    assert read(content, small(HEALTH, max_bytes=len(content))).refused is None


def test_a_file_over_the_limit_of_rows_is_refused() -> None:
    content = as_csv([["x"] * 12] * 3)
    assert read(content, small(HEALTH, max_rows=2)).refused == "too_many_rows"
    assert read(census("<Child/>" * 3), small(CENSUS, max_rows=2)).refused == "too_many_rows"


def test_a_parser_s_own_complaint_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def complain(*_: object) -> None:
        raise pa.ArrowInvalid("CSV parse error: Quillonbrax")

    monkeypatch.setattr(csv_rows, "parse", complain)
    checked = check_delivery("health", "x.csv", as_csv([["x"] * 12]), None, DAY, gx=False, manifest_required=False)
    assert checked.refused == "csv_unreadable"
    assert "Quillonbrax" not in repr(checked)


def test_an_unknown_header_is_told_by_position_since_it_may_be_a_name() -> None:
    checked = check_delivery(
        "health", "x.csv", b"Quillonbrax,1985-06-15\n", None, DAY, gx=False, manifest_required=False
    )
    assert (checked.refused, checked.where) == ("unknown_column", "column 1")
    assert "Quillonbrax" not in repr(checked)


def test_a_ragged_row_is_kept_as_it_came_for_correction() -> None:
    """S1: what is in quarantine can be found and returned."""
    content = as_csv([["x"] * 12]) + b'Ada,"Quillonbrax, Ltd"\r\n'
    text = read(content, HEALTH)
    assert text.broken.row(0) == (2, None, "ragged_row", 'Ada,"Quillonbrax, Ltd"')


def test_entities_that_grow_without_end_are_refused_before_they_grow() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<!DOCTYPE Message [<!ENTITY l0 "ha">{laughs}]>'
    assert read(census("<Child>&l9;</Child>", head), CENSUS).refused == "xml_forbidden"


def test_an_entity_that_reads_a_local_file_is_refused() -> None:
    head = '<!DOCTYPE Message [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
    assert read(census("<Child>&f;</Child>", head), CENSUS).refused == "xml_forbidden"


def test_elements_nested_without_end_are_refused() -> None:
    deep = "<Child><ChildCharacteristics>" + "<a>" * 5_000
    assert read(census(deep), CENSUS).refused == "xml_unreadable"


def test_a_namespace_does_not_hide_the_census() -> None:
    child = "<Child><ChildIdentifiers><LAchildID>C1</LAchildID></ChildIdentifiers></Child>"
    plain = read(census(child), CENSUS).frame
    content = census(child).replace(b"<Message>", b'<Message xmlns="urn:example">')
    assert read(content, CENSUS).frame.equals(plain)
    assert plain.select("row_no", "person_ref").rows() == [(1, "C1")]


def test_row_numbers_skip_broken_rows_and_never_shift() -> None:
    rows = [["x"] * 12, ["short"], ["y"] * 12]
    frame = read(as_csv(rows), HEALTH).frame
    assert frame.select("row_no", "person_ref").rows() == [(1, "x"), (3, "y")]
    assert frame.schema["row_no"] == pl.Int32
