"""The release itself: what reaches MHCLG, after which approvals, and how often (R5, N16)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pytest
from base_stack import own_register

from linkage import policy
from linkage.custody import transfers
from linkage.custody.evidence import ledger
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, FlowRefused
from linkage.release import approvals, bundle, query, register, spreadsheet
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
def proposed(stack: StackAddresses, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proposed]:  # noqa: ARG001
    """Protected tables, proposed and not approved, in a register of their own; MHCLG's inbox is empty."""
    with own_register(monkeypatch):
        yield _proposed()
        transfers.receive("mhclg")


def _proposed() -> Proposed:
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
    transfers.receive("mhclg")
    return Proposed(held.id, wave, data)


def test_only_approved_tables_reach_mhclg_and_exactly_those(proposed: Proposed) -> None:
    """R5, N16: without both approvals nothing leaves; with them the very bytes that were approved, and once."""
    for user in (FIRST, SECOND):
        with pytest.raises(FlowRefused, match="R5"):
            register.release(proposed.holding)
        assert transfers.receive("mhclg") == []
        approvals.record(proposed.holding, user, ["Approve"])
    for _ in range(2):
        register.release(proposed.holding)
    [arrived] = transfers.receive("mhclg")
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
    assert transfers.receive("mhclg") == []


def test_a_bundle_edited_after_the_approval_is_not_released(proposed: Proposed) -> None:
    """R5: two people approved other bytes than those the holding has now."""
    other = bundle.digest(proposed.data + b"x")
    held = Vault("ons-research").put_bytes(
        proposed.data, "proposed_tables", programme=policy.load().name, natural_key=f"edited:{proposed.wave}", wave="w"
    )
    approvals.propose(Proposal(held.id, other, "schedule"))
    for user in (FIRST, SECOND):
        approvals.record(held.id, user, ["Approve"])
    with pytest.raises(FlowRefused, match=r"R5.*not the ones"):
        register.release(held.id)
    assert transfers.receive("mhclg") == []


def test_approvals_of_another_bundle_do_not_count(proposed: Proposed) -> None:
    """R5: an answer names the hash it is about, and one for the same holding with another hash is about nothing."""
    for user in (FIRST, SECOND):
        facts = {"proposal": proposed.holding, "sha256": "0" * 64, "user": user, "answer": "Approve"}
        ledger.record("release_answer", facts)
    with pytest.raises(FlowRefused, match=r"R5: 0 of 2"):
        register.release(proposed.holding)


def test_two_approvals_by_the_author_under_the_schedule_or_by_one_person_are_not_two(proposed: Proposed) -> None:
    """R5: the same person twice, however the second answer came in."""
    sha256 = bundle.digest(proposed.data)
    approvals.record(proposed.holding, FIRST, ["Approve"])
    facts = {"proposal": proposed.holding, "sha256": sha256, "user": FIRST, "answer": "Approve"}
    ledger.record("release_answer", facts)
    with pytest.raises(FlowRefused, match=r"R5: 1 of 2"):
        register.release(proposed.holding)


def test_an_approved_bundle_with_a_file_more_in_it_is_not_released(proposed: Proposed) -> None:
    """R1: two approvals do not let out what is no table."""
    more = spreadsheet.write_zip([("people.parquet", b"PAR1")])
    held = Vault("ons-research").put_bytes(
        more, "proposed_tables", programme=policy.load().name, natural_key=f"more:{proposed.wave}", wave="w"
    )
    approvals.propose(Proposal(held.id, bundle.digest(more), "schedule"))
    for user in (FIRST, SECOND):
        approvals.record(held.id, user, ["Approve"])
    with pytest.raises(CheckFailed, match="R1"):
        register.release(held.id)
    assert transfers.receive("mhclg") == []


def test_what_mhclg_received_answers_queries(proposed: Proposed) -> None:
    """N18: from the reader's own store, with no key to anything else."""
    for user in (FIRST, SECOND):
        approvals.record(proposed.holding, user, ["Approve"])
    register.release(proposed.holding)
    transfers.receive("mhclg")
    told = query.answer(query.released(), ["authority", "status"])
    assert told.filter(status="assessed")["individuals"].item() == "100"
