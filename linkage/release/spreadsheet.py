"""Released tables as one OpenDocument spreadsheet that a screen reader can follow, the same bytes for the same tables.

Cover sheet, notes, one table a sheet starting in column A, marks explained where they stand: the guidance of the
Government Analysis Function on releasing statistics in spreadsheets.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

from linkage.release import describe
from linkage.release.rules import ReleasePolicy
from linkage.release.tables import Table

# What a spreadsheet needs; the library's template brings pictures and window settings as well.
PARTS = ("mimetype", "META-INF/manifest.xml", "content.xml", "meta.xml", "styles.xml")
_MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.3">
 <manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/>
 <manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>
 <manifest:file-entry manifest:full-path="meta.xml" manifest:media-type="text/xml"/>
 <manifest:file-entry manifest:full-path="styles.xml" manifest:media-type="text/xml"/>
</manifest:manifest>
"""
_META = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-meta xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:dc="http://purl.org/dc/elements/1.1/" office:version="1.3"><office:meta><dc:title>Released tables</dc:title>
<dc:language>en-GB</dc:language></office:meta></office:document-meta>
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a ZIP file can say: when it was written is no part of what was approved


def to_ods(tables: Sequence[Table], policy: ReleasePolicy) -> bytes:
    """The spreadsheet of protected `tables`."""
    from odfdo import Document

    document: Any = Document("spreadsheet")
    document.body.clear()
    names = [f"Table_{number}" for number in range(1, len(tables) + 1)]
    contents = [[name, describe.title(table)] for name, table in zip(names, tables, strict=True)]
    cover = [["Released tables"], ["Anonymised results of the evaluation"], ["Worksheet", "Contents"]]
    _add_sheet(document, "Cover_sheet", [*cover, ["Notes", "How to read the tables"], *contents])
    _add_sheet(document, "Notes", [["Notes"], *([note] for note in describe.notes(policy))])
    for name, table in zip(names, tables, strict=True):
        heading = [
            [describe.title(table)],
            ["This worksheet contains one table. See the worksheet Notes for the marks."],
        ]
        rows = [[_value(cell) for cell in row] for row in table.frame.iter_rows()]
        _add_sheet(document, name, [*heading, list(table.frame.columns), *rows])
    written = io.BytesIO()
    document.save(written)
    return _repack(written.getvalue())


def write_zip(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A ZIP file that is the same for the same files: their order, no dates, no traces of the machine."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, data in files:
            told = zipfile.ZipInfo(name, _EPOCH)
            told.create_system = 3
            told.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(told, data)
    return written.getvalue()


def _add_sheet(document: Any, name: str, rows: Sequence[Sequence[str | int | float]]) -> None:
    from odfdo import Row
    from odfdo import Table as Sheet

    sheet = Sheet(name)
    for values in rows:
        row = Row()
        row.set_values(list(values))
        sheet.append_row(row)
    document.body.append(sheet)


def _value(text: str) -> str | int | float:
    """Numbers as numbers, so that they can be sorted and summed; marks as text."""
    if text.isdecimal():
        return int(text)
    return float(text) if text.replace(".", "", 1).isdecimal() else text


def _repack(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        made = {"META-INF/manifest.xml": _MANIFEST.encode(), "meta.xml": _META.encode()}
        return write_zip((name, made.get(name) or archive.read(name)) for name in PARTS)
