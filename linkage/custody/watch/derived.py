"""Search the stores that others derive from our work, Airflow's database and every log, for anything like an identifier.

It looks for the shape of identifiers, not for known ones: a National Insurance number, or a date of birth within 200
bytes of a postcode. Nobody needs to know whom to look for, and only names of tables and files and counts come back.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linkage import settings
from linkage.errors import DependencyUnreachable

NEAR = 200
# GOV.UK, "National Insurance numbers: format"; its last letter is required, or every third hexadecimal id would be one.
_NINO = r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]"
# BS 7666; the inward part never holds C, I, K, M, O or V.
_POSTCODE = r"[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][ABD-HJLNP-UW-Z]{2}"
# A date alone: what is followed by a time of day is a log's own stamp.
_DATE = r"(?:(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}(?![T ]?[0-9])|[0-9]{2}/[0-9]{2}/(?:19|20)[0-9]{2}(?![T ]?[0-9]))"
_ALONE = (rb"(?<![A-Za-z0-9])", rb"(?![A-Za-z0-9])")

_nino = re.compile(_ALONE[0] + _NINO.encode() + _ALONE[1], re.IGNORECASE)
_postcode = re.compile(_ALONE[0] + _POSTCODE.encode() + _ALONE[1])
_date = re.compile(rb"(?<![0-9])" + _DATE.encode())
_TEXT_TYPES = ("text", "character varying", "json", "jsonb", "bytea")


@dataclass(frozen=True, slots=True)
class Scan:
    """What was searched, and where something like an identifier was found: places, never values."""

    searched: tuple[str, ...]
    found: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """As the certificate says it."""
        return {"searched": list(self.searched), "found": len(self.found)}


def scan() -> Scan:
    """Search every configured derived store. Raises DependencyUnreachable when Airflow's database does not answer."""
    conf = settings.load()
    paths = [Path(one) for one in conf.derived_paths.split(":") if one]
    searched = [f"files under {path.name}" for path in paths if path.exists()]
    found = _in_files(paths)
    if conf.derived_database_url:
        searched.append("every text column of Airflow's database")
        found += _in_database(conf.derived_database_url)
    return Scan(tuple(searched), tuple(found))


def _in_files(paths: list[Path]) -> list[str]:
    files = list(_files(paths))
    with ThreadPoolExecutor(2) as pool:
        return [told for told, hit in zip(map(_shown, files), pool.map(_hit, files), strict=True) if hit]


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        candidates = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (one for one in candidates if one.is_file() and not one.is_symlink())


def _shown(file: Path) -> str:
    """A file without its folders: a task's log lies under names of DAGs and runs, none of them a person's."""
    return "/".join(file.parts[-3:])


def _hit(file: Path) -> bool:
    try:
        with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as view:
            return _looks_personal(view)
    except (FileNotFoundError, PermissionError, ValueError):
        return False  # empty, or rotated away meanwhile


def _looks_personal(view: bytes | mmap.mmap) -> bool:
    if _nino.search(view):
        return True
    return any(_date.search(view[max(0, hit.start() - NEAR) : hit.end() + NEAR]) for hit in _postcode.finditer(view))


def _in_database(url: str) -> list[str]:
    """Tables with a row that looks personal. The database itself searches: no value of it comes here."""
    from sqlalchemy import bindparam, create_engine, text
    from sqlalchemy.exc import DBAPIError

    columns = text(
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables"
        " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        " AND data_type IN :types ORDER BY table_name, column_name"
    ).bindparams(bindparam("types", _TEXT_TYPES, expanding=True))
    nino = rf"(?<![A-Za-z0-9]){_NINO}(?![A-Za-z0-9])"
    postcode = rf"(?<![A-Za-z0-9]){_POSTCODE}(?![A-Za-z0-9])"
    date = rf"(?<![0-9]){_DATE}"
    pair = f"(?:{date}.{{0,{NEAR}}}{postcode})|(?:{postcode}.{{0,{NEAR}}}{date})"
    engine = create_engine(url, hide_parameters=True)
    try:
        with engine.connect() as connection, connection.begin():
            connection.execute(text("SET TRANSACTION READ ONLY"))
            by_table: dict[str, list[str]] = {}
            for table, column in connection.execute(columns):
                by_table.setdefault(table, []).append(column)
            found = []
            quote = connection.dialect.identifier_preparer.quote
            for table, names in by_table.items():
                any_column = " OR ".join(f"{quote(one)}::text ~* :nino OR {quote(one)}::text ~ :pair" for one in names)
                query = text(f"SELECT EXISTS (SELECT 1 FROM {quote(table)} WHERE {any_column})")  # noqa: S608
                if connection.scalar(query, {"nino": nino, "pair": pair}):
                    found.append(f"table {table} of Airflow's database")
            return found
    except DBAPIError:
        raise DependencyUnreachable("Airflow's database cannot be searched; nothing was lost, run again") from None
    finally:
        engine.dispose()
