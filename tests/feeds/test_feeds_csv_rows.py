"""A CSV file read block by block is the file read as one block: no value, no row number depends on where a block ends."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.feeds.csv_rows import parse

HEADER = ["a", "b", "c"]
CELLS = ["", " ", "a", "é", "twelve", '"q,x"', '"l\nm"', '"l\r\nm"', '"\r\n"', '"""e"""', '5" pipe', 'x"y', '"a"b']


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Rows of three values, some of two or four; quoted line breaks of both kinds; stray quotes."""
    cells = st.lists(st.sampled_from(CELLS), min_size=2, max_size=4).map(",".join)
    rows = draw(st.lists(cells, min_size=1, max_size=12))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return end.join(["a,b,c", *rows, ""]).encode()


@pytest.mark.large
@settings(max_examples=400)
@given(body=files(), block=st.integers(min_value=12, max_value=90))
def test_the_size_of_a_block_changes_nothing(body: bytes, block: int) -> None:
    whole, ragged = parse(body, HEADER, len(body) + 1)
    rows, torn = parse(body, HEADER, block)
    assert rows.equals(whole)
    assert torn == ragged


def test_a_line_break_inside_a_value_survives_the_edge_of_a_block() -> None:
    """Arrow drops a line feed that begins a block after a carriage return: no block may end between the two."""
    body = b'a,b,c\r\n1,"Flat 2\r\nHigh Street",3\r\n4,5,6\r\n'
    for block in range(8, len(body)):
        rows, _ = parse(body, HEADER, block)
        assert rows["b"].to_list() == ["Flat 2\r\nHigh Street", "5"], block


def test_rows_are_numbered_as_in_the_file_across_blocks() -> None:
    lines = [f"{number},x,y" if number % 7 else f"{number},x" for number in range(1, 200)]
    rows, ragged = parse("\n".join(["a,b,c", *lines, ""]).encode(), HEADER, 64)
    assert rows["row_no"].to_list() == [number for number in range(1, 200) if number % 7]
    assert rows["a"].cast(pl.Int32).to_list() == rows["row_no"].to_list()
    assert [number for number, _, _ in ragged] == list(range(7, 200, 7))


def test_a_row_longer_than_a_block_is_read_all_the_same() -> None:
    address = "x" * 500
    rows, _ = parse(f'a,b,c\n1,"{address}",3\n'.encode(), HEADER, 32)
    assert rows["b"].to_list() == [address]
