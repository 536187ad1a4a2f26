"""Read and write the tables of the command line, CSV or Parquet by their ending; errors name columns, never values."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from linkage.errors import Misuse


def read(path: Path) -> pl.DataFrame:
    """The table in a CSV (everything as text, UTF-8 with a header) or Parquet file. Raises Misuse."""
    if not path.is_file():
        raise Misuse(f"{path.name}: no such file")
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        return pl.read_csv(path, infer_schema=False, encoding="utf8")
    except (pl.exceptions.PolarsError, UnicodeDecodeError, OSError):
        # The original message quotes the line at fault.
        raise Misuse(f"{path.name}: not a readable CSV or Parquet table") from None


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write a table as CSV or, with the ending .parquet, as Parquet: whole or not at all. Raises Misuse when it cannot be.

    Half a table looks like a table: until the last row is written, what stood under the name stays. A pipe or a device
    (`/dev/stdout`) is written to as it is.
    """
    as_it_is = path.exists() and not path.is_file()
    target = path if as_it_is else path.resolve()
    partial = path if as_it_is else target.with_name(f".{target.name}.partial")
    try:
        if path.suffix.lower() == ".parquet":
            frame.write_parquet(partial)
        else:
            frame.write_csv(partial, float_precision=6)
        if not as_it_is:
            partial.replace(target)
    except OSError:
        if not as_it_is:
            partial.unlink(missing_ok=True)
        raise Misuse(f"{path.name}: cannot be written") from None


def require_writable(path: Path) -> None:
    """Refuse at once a place where `write` could not put a table, rather than after long work. Raises Misuse."""
    if not path.parent.is_dir() or path.is_dir():
        raise Misuse(f"{path.name}: cannot be written there")
