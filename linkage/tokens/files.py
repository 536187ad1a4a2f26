"""A token file on disk: written part by part, readable by its owner alone, and whole or not there at all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from linkage.errors import Misuse


def write(parts: Iterable[pl.DataFrame], path: Path, allow: Callable[[], None]) -> int:
    """Write token frames as one Parquet file (record_id, match_key as text, person_token); how many rows it has.

    `allow` is called when all parts are made and raises to forbid the file; nothing is left behind then, nor after any
    other error. An older file of the name is replaced in one step. Raises Misuse when the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("record_id", pa.string()), ("match_key", pa.string()), ("person_token", pa.binary())])
    try:
        # Made by its owner for its owner (mode 600), beside the target so that the last step is a rename.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".tokens-", delete=False) as made:
            partial = Path(made.name)
            try:
                rows = 0
                with pq.ParquetWriter(made, schema) as writer:
                    for part in parts:
                        writer.write_table(part.cast({"match_key": pl.String}).to_arrow().cast(schema))
                        rows += part.height
                allow()
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
    except OSError:
        raise Misuse(f"{path.name}: cannot be written") from None
    return rows
