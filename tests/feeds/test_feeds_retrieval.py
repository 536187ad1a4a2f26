"""Taking a delivery out of quarantine, to be corrected by its partner."""

from __future__ import annotations

import stat
from pathlib import Path

import polars as pl
import pytest

from linkage import policy
from linkage.custody.evidence import ledger
from linkage.custody.register import Register
from linkage.custody.vault import Vault
from linkage.errors import FlowRefused, Misuse
from linkage.feeds.retrieval import retrieve
from linkage.stack import StackAddresses

pytestmark = pytest.mark.servers


@pytest.fixture
def vault(stack: StackAddresses) -> Vault:
    return Vault("authority")


def entries() -> list[str]:
    with Register.open().transaction() as session:
        return ledger.leaves(session)


def test_a_refused_file_comes_back_byte_for_byte_for_one_reader_and_the_ledger_knows(
    vault: Vault, tmp_path: Path
) -> None:
    held = vault.put_bytes(b"caf\xe9;1\n", "quarantine", programme=policy.load().name, natural_key="t:1", label="t")
    before = len(entries())
    assert retrieve(held.id, tmp_path / "back.csv") == 7
    assert (tmp_path / "back.csv").read_bytes() == b"caf\xe9;1\n"
    assert stat.S_IMODE((tmp_path / "back.csv").stat().st_mode) == 0o600
    assert [held.id in entry and "quarantine_retrieved" in entry for entry in entries()[before:]] == [True]


def test_broken_rows_come_back_as_csv_that_no_spreadsheet_runs(vault: Vault, tmp_path: Path) -> None:
    rows = pl.DataFrame({"row_no": [3], "reason": ["formula"], "forename": ["=1+1"]})
    held = vault.put_frame(rows, "quarantine", programme=policy.load().name, natural_key="t:2", label="t")
    retrieve(held.id, tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text() == '"row_no","reason","forename"\n"3","formula","\'=1+1"\n'


def test_only_quarantine_may_be_taken_out(vault: Vault, tmp_path: Path) -> None:
    """N20."""
    rows = pl.DataFrame({"row_no": [1]})
    held = vault.put_frame(rows, "delivery", programme=policy.load().name, natural_key="t:3", label="t")
    with pytest.raises(FlowRefused, match="N20"):
        retrieve(held.id, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_an_existing_file_is_never_overwritten(vault: Vault, tmp_path: Path) -> None:
    held = vault.put_bytes(b"x", "quarantine", programme=policy.load().name, natural_key="t:4", label="t")
    (tmp_path / "mine.csv").write_text("mine")
    with pytest.raises(Misuse):
        retrieve(held.id, tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text() == "mine"
