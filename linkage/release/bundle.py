"""A bundle of protected tables as bytes: what was approved is, byte for byte, what is released (R5)."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence

import polars as pl

from linkage.errors import CheckFailed
from linkage.release.tables import ReleaseSpec, Table


def pack(tables: Sequence[Table]) -> bytes:
    """The tables with their specs as canonical JSON: the same tables give the same bytes."""
    told = [{"spec": one.spec.to_toml(), "csv": one.frame.write_csv()} for one in tables]
    return json.dumps({"tables": told}, sort_keys=True, separators=(",", ":")).encode()


def unpack(data: bytes) -> list[Table]:
    """The tables of a bundle. Raises CheckFailed for bytes that are none."""
    try:
        told = json.loads(data)["tables"]
        return [
            Table(ReleaseSpec.from_toml(one["spec"]), pl.read_csv(io.StringIO(one["csv"]), infer_schema=False))
            for one in told
        ]
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
        raise CheckFailed("this is not a bundle of tables") from None


def digest(data: bytes) -> str:
    """SHA-256 of a bundle: tables of protected counts, no personal data, so a plain hash gives nothing away."""
    return hashlib.sha256(data).hexdigest()
