"""CSV (RFC 4180) to rows of text, block by block: a large file is never in memory twice over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from linkage.feeds.text_file import ROW_NO, without_blanks

if TYPE_CHECKING:
    from pyarrow import RecordBatch

BLOCK_BYTES = 8 * 2**20
_SLACK = 1024

Ragged = list[tuple[int, int, str]]
"""(row number, values found, raw text) of each row that has more or fewer values than the header."""


def parse(body: bytes, header: list[str], block_bytes: int = BLOCK_BYTES) -> tuple[pl.DataFrame, Ragged]:
    """All well-shaped rows, numbered as in the file, as text that is null where blank; and the ragged ones.

    Raises pyarrow's ArrowException, whose text may quote the file, for what is no CSV.
    """
    from pyarrow import ArrowInvalid, default_memory_pool

    try:
        told = _in_blocks(body, header, block_bytes)
    except ArrowInvalid:
        # A row longer than a block, or quotes that a block's edge makes unclear: as one block it is decided.
        told = _in_blocks(body, header, len(body) + _SLACK)
    default_memory_pool().release_unused()
    return told


def _in_blocks(body: bytes, header: list[str], block_bytes: int) -> tuple[pl.DataFrame, Ragged]:
    ragged: Ragged = []
    parts = [_text(batch) for batch in _batches(body, header, block_bytes, ragged)]
    height = sum(part.height for part in parts)
    numbers = pl.int_range(1, height + len(ragged) + 1, dtype=pl.Int32, eager=True).alias(ROW_NO)
    if ragged:
        broken = pl.Series([number for number, _, _ in ragged], dtype=pl.Int32)
        numbers = numbers.filter(~numbers.is_in(broken.implode()))
    begun, numbered = 0, []
    for part in parts:
        numbered.append(part.with_columns(numbers.slice(begun, part.height)))
        begun += part.height
    nothing = pl.DataFrame(schema={name: pl.String() for name in header} | {ROW_NO: pl.Int32()})
    return pl.concat([nothing, *numbered]), ragged


def _batches(body: bytes, header: list[str], block_bytes: int, ragged: Ragged) -> Iterator[RecordBatch]:
    from pyarrow import BufferReader, string
    from pyarrow import csv as arrow_csv

    def note(row: arrow_csv.InvalidRow) -> str:
        ragged.append((row.number - 1, row.actual_columns, row.text))
        return "skip"

    return arrow_csv.open_csv(  # type: ignore[no-any-return]
        BufferReader(body),
        # Without threads the handler is told row numbers.
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_whole_line_ends(body, block_bytes)),
        parse_options=arrow_csv.ParseOptions(
            newlines_in_values=True, invalid_row_handler=note, ignore_empty_lines=False
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: string() for name in header}, strings_can_be_null=False
        ),
    )


def _whole_line_ends(body: bytes, block_bytes: int) -> int:
    """The block size from `block_bytes` upwards that cuts no CR LF in two.

    Arrow's reader (26.0) drops a line feed that begins a block after a carriage return, also inside a quoted value.
    """
    size = block_bytes
    while any(body[edge - 1 : edge + 1] == b"\r\n" for edge in range(size, len(body), size)):
        size += 1
    return size


def _text(batch: RecordBatch) -> pl.DataFrame:
    rows = pl.from_arrow(batch)
    assert isinstance(rows, pl.DataFrame)
    return rows.select(without_blanks(pl.all()))
