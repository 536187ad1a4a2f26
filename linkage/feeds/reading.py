"""From bytes to a frame of text: one row per record, numbered from 1, or the reason the whole file is refused."""

from __future__ import annotations

import codecs
import csv
import io

import polars as pl

from linkage.feeds import csv_rows
from linkage.feeds.census import read_census
from linkage.feeds.contract import Contract
from linkage.feeds.text_file import BROKEN_SCHEMA, ROW_NO, TextFile, refuse

_BOM = b"\xef\xbb\xbf"
# First bytes of zip (and workbooks, which are zips), gzip, bzip2, xz, 7-Zip, zstd, RAR and old Office files. Nothing is
# unpacked, so nothing can unpack itself into more than the limit.
_COMPRESSED = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"7z\xbc\xaf\x27\x1c",
    b"\x28\xb5\x2f\xfd",
    b"Rar!",
    b"\xd0\xcf\x11\xe0",
)
_DECODED_AT_ONCE = 4 * 2**20
_LONGEST_HEADER = 256 * 1024


def read(content: bytes, contract: Contract) -> TextFile:
    """The delivery as text, or refused. Pure; raises nothing for bad input."""
    refused = byte_fault(content, contract)
    if refused:
        return refuse(contract, refused)
    body = content.removeprefix(_BOM)
    if contract.format == "xml":
        return read_census(body, contract)
    return _read_csv(body, contract)


def byte_fault(content: bytes, contract: Contract) -> str | None:
    """The reason to refuse the bytes before any parsing, or None."""
    if not content:
        return "zero_bytes"
    if len(content) > contract.limits.max_bytes:
        return "too_large"
    if content.startswith(_COMPRESSED):
        return "compressed"
    if not _utf8(content):
        return "not_utf8"
    return "nul_bytes" if b"\x00" in content else None


def _utf8(content: bytes) -> bool:
    """Whether the bytes are UTF-8, without a copy of them all as text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(content)
    try:
        for begun in range(0, len(view), _DECODED_AT_ONCE):
            decoder.decode(view[begun : begun + _DECODED_AT_ONCE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _read_csv(body: bytes, contract: Contract) -> TextFile:
    from pyarrow import ArrowException

    header = _header(body)
    wrong = _header_fault(header, contract)
    if wrong:
        return refuse(contract, *wrong)
    if body.count(b'"') % 2:
        # A quoted value that never closes swallows everything after it; nothing below it can be trusted.
        return refuse(contract, "truncated")
    ends_whole = body.endswith((b"\n", b"\r"))
    try:
        rows, ragged = csv_rows.parse(_one_line_end(body), header)
    except ArrowException:  # its text may quote the file
        return refuse(contract, "csv_unreadable")
    records = rows.height + len(ragged)
    if records == 0:
        return refuse(contract, "no_rows")
    if records > contract.limits.max_rows:
        return refuse(contract, "too_many_rows")
    if ragged and not ends_whole and ragged[-1][0] == records and ragged[-1][1] < len(header):
        return refuse(contract, "truncated")
    frame = rows.select(ROW_NO, *contract.names)
    blank = pl.all_horizontal(pl.col(contract.names).is_null())
    broken = pl.concat(
        [
            pl.DataFrame(
                [(number, None, "ragged_row", raw) for number, _, raw in ragged], schema=BROKEN_SCHEMA, orient="row"
            ),
            frame.filter(blank).select(
                ROW_NO,
                pl.lit(None, pl.String).alias("column"),
                pl.lit("blank_row").alias("reason"),
                pl.lit(None, pl.String).alias("raw"),
            ),
        ]
    ).sort(ROW_NO)
    frame = frame.filter(~blank) if broken.height > len(ragged) else frame
    return TextFile(frame, broken, records, ends_whole=ends_whole)


def _header(body: bytes) -> list[str]:
    # A header is never longer than this; the whole file as text would be a copy of it in memory.
    text = body[:_LONGEST_HEADER].decode("utf-8", "ignore")
    try:
        return next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error:  # a "header" of over 128 KiB
        return []


def _header_fault(header: list[str], contract: Contract) -> tuple[str, str] | None:
    """Reason and place. An unknown column is named by position: without a header its 'name' would be a value."""
    seen: set[str] = set()
    for position, name in enumerate(header, start=1):
        if name in seen and name in contract.names:
            return "duplicate_column", name
        seen.add(name)
        if name not in contract.names:
            return "unknown_column", f"column {position}"
    missing = [name for name in contract.names if name not in seen]
    return ("missing_column", missing[0]) if missing else None


def _one_line_end(body: bytes) -> bytes:
    """`body` with exactly one line break at its end; a large file that has one already is not copied."""
    tail = body[-2:]
    if tail.endswith(b"\n") and tail not in (b"\n\n", b"\r\n") or tail == b"\r\n" and body[-3:-2] not in (b"\n", b"\r"):
        return body
    return body.rstrip(b"\r\n") + b"\n"
