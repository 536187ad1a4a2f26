"""Two people, neither the author, for exactly these tables: R5, on a register of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from linkage.errors import FlowRefused
from linkage.release import approvals
from linkage.release.approvals import Proposal

SHA = "a" * 64


@pytest.fixture(autouse=True)
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKAGE_HOME", str(tmp_path))
    monkeypatch.setenv("LINKAGE_REGISTER_URL", f"sqlite:///{tmp_path}/register.sqlite")
    monkeypatch.setenv("LINKAGE_CLOCK", "real")
    approvals.propose(Proposal("hld_1", SHA, "engineer"))


def test_two_approvals_for_exactly_these_tables_are_enough() -> None:
    """R5"""
    approvals.record("hld_1", "approver", ["Approve"])
    approvals.record("hld_1", "governance", ["Approve"])
    assert approvals.require_approved("hld_1", SHA) == ("approver", "governance")


def test_one_approval_given_twice_is_one() -> None:
    """R5"""
    approvals.record("hld_1", "approver", ["Approve"])
    approvals.record("hld_1", "approver", ["Approve"])
    with pytest.raises(FlowRefused, match=r"R5: 1 of 2 approvals"):
        approvals.require_approved("hld_1", SHA)


def test_nobody_but_a_named_approver_can_answer() -> None:
    """R5: not an engineer, and not an empty name, as when a task is marked as success."""
    for user in ("engineer", "somebody", ""):
        with pytest.raises(FlowRefused, match="R5"):
            approvals.record("hld_1", user, ["Approve"])


def test_the_author_cannot_approve_their_own_release() -> None:
    """R5"""
    approvals.propose(Proposal("hld_2", SHA, "governance"))
    with pytest.raises(FlowRefused, match=r"R5.*author"):
        approvals.record("hld_2", "governance", ["Approve"])


def test_a_refusal_stands_whatever_others_say() -> None:
    """R5"""
    approvals.record("hld_1", "approver", ["Reject"])
    approvals.record("hld_1", "governance", ["Approve"])
    with pytest.raises(FlowRefused, match=r"R5.*refused"):
        approvals.require_approved("hld_1", SHA)


def test_other_tables_than_the_approved_ones_are_not_released() -> None:
    """R5: what was approved is what is released."""
    approvals.record("hld_1", "approver", ["Approve"])
    approvals.record("hld_1", "governance", ["Approve"])
    with pytest.raises(FlowRefused, match=r"R5.*not the ones"):
        approvals.require_approved("hld_1", "b" * 64)


def test_tables_that_were_never_proposed_cannot_be_approved() -> None:
    """R5"""
    with pytest.raises(FlowRefused, match=r"R5.*never proposed"):
        approvals.record("hld_9", "approver", ["Approve"])
