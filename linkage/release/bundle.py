"""A bundle of protected tables as bytes: what was approved is, byte for byte, what is released (R5).

A ZIP file of each table as CSV with its spec and metadata, one spreadsheet of all, a chart of each, and what is derived
from them (differences, balance, cost per family). Nothing else can be in it: `require_clean` reads every file back, knows
each by its place, and scans its text (R1).
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence

import polars as pl

from linkage.errors import CheckFailed, Misuse
from linkage.release import charts, contents, derived, describe, rules, spreadsheet
from linkage.release.rules import ReleasePolicy
from linkage.release.tables import ReleaseSpec, Table

SPREADSHEET = "tables.ods"


def pack(tables: Sequence[Table], policy: ReleasePolicy | None = None) -> bytes:
    """The tables as CSV, ODS, metadata and charts. The same tables give the same bytes, in whatever order they come."""
    told = policy or rules.load()
    tables = sorted(tables, key=lambda table: table.name)
    files: list[tuple[str, bytes]] = []
    for table in tables:
        chart = charts.draw(table, told)
        files += [
            (f"{table.name}.csv", table.frame.write_csv().encode()),
            (f"{table.name}.toml", table.spec.to_toml().encode()),
            (f"{table.name}.csv-metadata.json", describe.csvw(table, told).encode()),
            (f"{table.name}.png", chart.png),
            (f"{table.name}.svg", chart.svg),
            (f"{table.name}.txt", chart.text.encode()),
        ]
    files += derived.files(tables, told)
    files.append((SPREADSHEET, spreadsheet.to_ods(tables, told)))
    return spreadsheet.write_zip(sorted(files))


def unpack(data: bytes) -> list[Table]:
    """The tables of a bundle. Raises CheckFailed for bytes that are none."""
    try:
        files = _files(data)
        names = [name.removesuffix(".toml") for name in files if name.endswith(".toml")]
        return [
            Table(
                ReleaseSpec.from_toml(files[f"{name}.toml"].decode()),
                pl.read_csv(io.BytesIO(files[f"{name}.csv"]), infer_schema=False).fill_null(""),
            )
            for name in names
        ]
    except (ValueError, KeyError, zipfile.BadZipFile, Misuse, pl.exceptions.PolarsError):
        raise CheckFailed("this is not a bundle of tables") from None


def require_clean(data: bytes, policy: ReleasePolicy | None = None) -> None:
    """Raise CheckFailed (R1) unless a bundle is exactly what its own tables make, and no text in it is an identifier.

    Making it again from the tables alone proves that spreadsheet, metadata and pictures hold no other number.
    """
    told = policy or rules.load()
    found = contents.scan(_files(data), told)
    if found:
        raise CheckFailed(f"R1: {', '.join(sorted(set(found)))} in the bundle")
    if pack(unpack(data), told) != data:
        raise CheckFailed("R1: the bundle holds something that its tables do not make")


def digest(data: bytes) -> str:
    """SHA-256 of a bundle: tables of protected counts, no personal data, so a plain hash gives nothing away."""
    return hashlib.sha256(data).hexdigest()


def _files(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (ValueError, zipfile.BadZipFile):
        raise CheckFailed("this is not a bundle of tables") from None
