"""Two people, neither the author, approve exactly these tables: and nothing else makes a release (R5)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from linkage import policy
from linkage.custody import ledger, transfer
from linkage.custody.register import Register
from linkage.custody.vault import Vault
from linkage.errors import FlowRefused
from linkage.release import approvals, bundle, register
from linkage.release.approvals import Proposal
from linkage.release.check import settle
from linkage.release.rules import load
from linkage.release.tables import ReleaseSpec, Table
from linkage.stack import StackAddresses

FIRST, SECOND = load().approvers[:2]
HASH = "a" * 64


@pytest.fixture
def proposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A proposal by one of the approvers, in a register of its own."""
    monkeypatch.setenv("LINKAGE_HOME", str(tmp_path))
    monkeypatch.setenv("LINKAGE_CLOCK", "real")
    monkeypatch.setenv("LINKAGE_REGISTER_URL", f"sqlite:///{tmp_path / 'register.sqlite'}")
    approvals.propose(Proposal("hld_tables", HASH, "schedule"))
    yield "hld_tables"
    Register.open().engine.dispose()


def test_two_approvals_of_the_same_tables_are_enough(proposed: str) -> None:
    """R5."""
    for user in (FIRST, SECOND):
        approvals.record(proposed, user, ["Approve"])
    assert approvals.require_approved(proposed, HASH) == tuple(sorted((FIRST, SECOND)))


def test_one_person_approving_twice_is_one_approval(proposed: str) -> None:
    """R5."""
    for _ in range(2):
        approvals.record(proposed, FIRST, ["Approve"])
    with pytest.raises(FlowRefused, match=r"R5: 1 of 2"):
        approvals.require_approved(proposed, HASH)


def test_approvals_of_other_tables_do_not_count(proposed: str) -> None:
    """R5: what was approved is what is released."""
    for user in (FIRST, SECOND):
        approvals.record(proposed, user, ["Approve"])
    with pytest.raises(FlowRefused, match="R5: the tables are not the ones"):
        approvals.require_approved(proposed, "b" * 64)


def test_one_refusal_outweighs_any_approval(proposed: str) -> None:
    """R5."""
    approvals.record(proposed, FIRST, ["Approve"])
    approvals.record(proposed, SECOND, ["Reject"])
    with pytest.raises(FlowRefused, match="R5: an approver has refused"):
        approvals.require_approved(proposed, HASH)


@pytest.mark.parametrize(("author", "user"), [(FIRST, FIRST), ("schedule", "engineer"), ("schedule", "")])
def test_neither_the_author_nor_a_stranger_can_approve(proposed: str, author: str, user: str) -> None:
    """R5: at the answer already, and again at the release if the answer came in some other way."""
    holding = f"{proposed}_{author}"
    approvals.propose(Proposal(holding, HASH, author))
    with pytest.raises(FlowRefused, match="R5"):
        approvals.record(holding, user, ["Approve"])
    for name in (user, SECOND):
        ledger.record("release_answer", {"proposal": holding, "sha256": HASH, "user": name, "answer": "Approve"})
    with pytest.raises(FlowRefused, match="R5"):
        approvals.require_approved(holding, HASH)


def test_what_was_never_proposed_cannot_be_approved(proposed: str) -> None:
    """R5."""
    with pytest.raises(FlowRefused, match="R5: these tables were never proposed"):
        approvals.record(f"{proposed}_not", FIRST, ["Approve"])


@pytest.mark.servers
def test_only_approved_tables_reach_mhclg_and_exactly_those(stack: StackAddresses) -> None:
    """R5, N16: without both approvals nothing leaves; with them the very bytes that were approved, and once."""
    counts = pl.DataFrame({"authority": ["lambeth"] * 2, "status": ["assessed", "joined"]}).with_columns(
        individuals=pl.Series([102, 63]), families=pl.Series([41, 27])
    )
    spec = ReleaseSpec("status", "authority_by_status", "wave-1")
    protected = settle(Table(spec, counts)).protected
    assert protected is not None
    data = bundle.pack([Table(spec, protected)])
    store, wave = Vault("ons-research"), uuid.uuid4().hex[:8]
    held = store.put_bytes(
        data, "proposed_tables", programme=policy.load().name, natural_key=f"proposal:{wave}", wave=wave
    )
    approvals.propose(Proposal(held.id, bundle.digest(data), "schedule"))
    transfer.receive("mhclg")
    for user in (FIRST, SECOND):
        with pytest.raises(FlowRefused, match="R5"):
            register.release(held.id)
        assert transfer.receive("mhclg") == []
        approvals.record(held.id, user, ["Approve"])
    for _ in range(2):
        register.release(held.id)
    [arrived] = transfer.receive("mhclg")
    assert Vault("mhclg").read_bytes(arrived.id) == data
    assert len(store.find("release_register", wave=wave)) == 1
