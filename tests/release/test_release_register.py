"""The release itself: what reaches MHCLG, after which approvals, and how often (R5, N16)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pytest

from linkage import policy
from linkage.custody import ledger, transfer
from linkage.custody.vault import Vault
from linkage.errors import FlowRefused
from linkage.release import approvals, bundle, register
from linkage.release.approvals import Proposal
from linkage.release.check import settle
from linkage.release.rules import load
from linkage.release.tables import ReleaseSpec, Table
from linkage.stack import StackAddresses

pytestmark = pytest.mark.servers

FIRST, SECOND = load().approvers[:2]


@dataclass(frozen=True)
class Proposed:
    """A proposal in the research store: its holding, its wave, and the bundle's bytes."""

    holding: str
    wave: str
    data: bytes


@pytest.fixture
def proposed(stack: StackAddresses) -> Iterator[Proposed]:  # noqa: ARG001
    """Protected tables, proposed and not approved; MHCLG's inbox is empty."""
    counts = pl.DataFrame({"authority": ["lambeth"] * 2, "status": ["assessed", "joined"]}).with_columns(
        individuals=pl.Series([102, 63]), families=pl.Series([41, 27])
    )
    spec = ReleaseSpec("status", "authority_by_status", "wave-1")
    protected = settle(Table(spec, counts)).protected
    assert protected is not None
    data, wave = bundle.pack([Table(spec, protected)]), uuid.uuid4().hex[:8]
    held = Vault("ons-research").put_bytes(
        data, "proposed_tables", programme=policy.load().name, natural_key=f"proposal:{wave}", wave=wave
    )
    approvals.propose(Proposal(held.id, bundle.digest(data), "schedule"))
    transfer.receive("mhclg")
    yield Proposed(held.id, wave, data)
    transfer.receive("mhclg")


def test_only_approved_tables_reach_mhclg_and_exactly_those(proposed: Proposed) -> None:
    """R5, N16: without both approvals nothing leaves; with them the very bytes that were approved, and once."""
    for user in (FIRST, SECOND):
        with pytest.raises(FlowRefused, match="R5"):
            register.release(proposed.holding)
        assert transfer.receive("mhclg") == []
        approvals.record(proposed.holding, user, ["Approve"])
    for _ in range(2):
        register.release(proposed.holding)
    [arrived] = transfer.receive("mhclg")
    assert Vault("mhclg").read_bytes(arrived.id) == proposed.data
    assert len(Vault("ons-research").find("release_register", wave=proposed.wave)) == 1


def test_an_answer_that_came_in_past_the_approval_step_releases_nothing(proposed: Proposed) -> None:
    """R5: who may approve is asked again at the release."""
    sha256 = bundle.digest(proposed.data)
    for user in (FIRST, "engineer"):
        facts = {"proposal": proposed.holding, "sha256": sha256, "user": user, "answer": "Approve"}
        ledger.record("release_answer", facts)
    with pytest.raises(FlowRefused, match=r"R5.*not come from an approver"):
        register.release(proposed.holding)
    assert transfer.receive("mhclg") == []
