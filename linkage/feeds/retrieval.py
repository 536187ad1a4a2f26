"""Take a quarantined delivery out of the vault, so that its partner can correct it; the ledger remembers it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import polars as pl

from linkage import policy
from linkage.custody.evidence import ledger
from linkage.custody.vault import Vault
from linkage.errors import FlowRefused, Misuse

_PARQUET = b"PAR1"


def retrieve(holding_id: str, out: Path) -> int:
    """Write the holding's content to `out` (mode 600) and return the bytes written; broken rows become CSV.

    Raises FlowRefused (N20) for anything that is not in quarantine, Misuse when `out` exists.
    """
    vault = Vault(policy.own_store())
    held = vault.require_held(holding_id)
    if held.dataset_class != "quarantine":
        raise FlowRefused("N20", "only quarantined deliveries may be taken out; the rest stays in the vault")
    data = vault.read_bytes(held.id)
    content = as_csv(vault.read_frame(held.id)) if data.startswith(_PARQUET) else data
    return write_for_one_reader(content, out, lambda: ledger.record("quarantine_retrieved", {"holding": held.id}))


def write_for_one_reader(content: bytes, out: Path, record: Callable[[], object]) -> int:
    """Write `content` to a new file that only its owner reads (mode 600), after `record` has put it in the ledger.

    First the entry, then the file: a copy outside the vault that the ledger does not know must not exist. Raises
    Misuse when `out` exists.
    """
    if out.exists():
        raise Misuse("the output file exists; nothing is overwritten")
    record()
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        return stream.write(content)


def as_csv(frame: pl.DataFrame) -> bytes:
    """CSV that no spreadsheet runs: a text that starts like a formula gets an apostrophe (OWASP, CSV injection)."""
    harmless = pl.col(pl.String).str.replace(r"\A([\t\r]|[ \n]*[-+=@＝＋－＠])", "'${1}")
    return frame.with_columns(harmless).write_csv(quote_style="always").encode()
