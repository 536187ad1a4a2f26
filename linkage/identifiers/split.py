"""Keep identifiers apart from everything else: split a file in two, joined only by a random reference (N13)."""

from __future__ import annotations

import secrets
from typing import Final

import numpy as np
import polars as pl

from linkage.errors import FlowRefused, Misuse

REF_BYTES: Final = 16


def split(
    frame: pl.DataFrame, identifiers: list[str], attributes: list[str], refs: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The identifier file and the attribute file of `frame`; both carry the `refs` columns, in the same row order.

    Every column must be declared as exactly one of the three. Raises FlowRefused N3 for a column that nobody declared
    (more than the minimum would be shared) and N13 for one that is declared twice; Misuse for one that is missing.
    """
    declared = [*identifiers, *attributes, *refs]
    twice = sorted({name for name in declared if declared.count(name) > 1})
    if twice:
        raise FlowRefused("N13", f"column {twice[0]} is declared more than once as identifier, attribute or reference")
    missing = [name for name in declared if name not in frame.columns]
    if missing:
        raise Misuse(f"column {missing[0]} is missing")
    undeclared = [name for name in frame.columns if name not in declared]
    if undeclared:
        raise FlowRefused("N3", f"column {undeclared[0]} is neither identifier, attribute nor reference")
    if not refs:
        raise Misuse("two files without a common reference can never be joined: name at least one")
    return frame.select(*refs, *identifiers), frame.select(*refs, *attributes)


def fresh_refs(n: int, recipients: list[str]) -> pl.DataFrame:
    """`n` rows of fresh references: one text column of 32 hexadecimal characters (128 random bits) per recipient.

    The frame is the crosswalk between the recipients' references: its own holding, and the first to be destroyed.
    Raises Misuse for a negative number or a recipient named twice.
    """
    if n < 0 or len(set(recipients)) != len(recipients) or not recipients:
        raise Misuse("fresh references need a number of rows and distinct recipients")
    return pl.DataFrame({recipient: _refs(n) for recipient in recipients})


def _refs(n: int) -> pl.Series:
    """From one call to the operating system's generator; the chance of a repeat among 10^9 references is 10^-21."""
    drawn = secrets.token_bytes(n * REF_BYTES).hex().encode()
    return pl.Series("ref", np.frombuffer(drawn, dtype=f"S{2 * REF_BYTES}").astype(str), dtype=pl.String)
