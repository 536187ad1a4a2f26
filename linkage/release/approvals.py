"""Approvals of a release: recorded the moment they are given, for one bundle's hash, and looked up again at release (R5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linkage.custody import history
from linkage.custody.evidence import ledger
from linkage.errors import FlowRefused
from linkage.release import rules

APPROVE = "Approve"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A bundle put before the approvers: its holding, its hash, and who made it."""

    holding: str
    sha256: str
    author: str


def propose(proposal: Proposal) -> None:
    """Note a proposal in the ledger, once."""
    facts = {"proposal": proposal.holding, "sha256": proposal.sha256, "author": proposal.author}
    ledger.record("release_proposed", facts, once=f"proposed|{proposal.holding}|{proposal.sha256}")


def find(holding: str) -> Proposal:
    """The proposal as the ledger knows it. Raises FlowRefused (R5) for one that was never made."""
    for facts in history.facts("release_proposed"):
        if facts["proposal"] == holding:
            return Proposal(holding, str(facts["sha256"]), str(facts["author"]))
    raise FlowRefused("R5", "these tables were never proposed for release")


def record(holding: str, user: str, options: Sequence[str]) -> None:
    """Note an answer, for exactly the bundle that was proposed. Raises FlowRefused (R5) for somebody who may not answer."""
    proposal = find(holding)
    _require_eligible(user, proposal)
    answer = options[0] if options else ""
    facts = {"proposal": holding, "sha256": proposal.sha256, "user": user, "answer": answer}
    ledger.record("release_answer", facts, once=f"answer|{holding}|{proposal.sha256}|{user}")


def require_approved(holding: str, sha256: str) -> tuple[str, ...]:
    """The people who approved exactly this bundle. Raises FlowRefused (R5) unless two who may have, and nobody refused."""
    proposal = find(holding)
    if proposal.sha256 != sha256:
        raise FlowRefused("R5", "the tables are not the ones that were proposed")
    answers = {
        str(facts["user"]): str(facts["answer"])
        for facts in history.facts("release_answer")
        if facts["proposal"] == holding and facts["sha256"] == sha256
    }
    if any(answer != APPROVE for answer in answers.values()):
        raise FlowRefused("R5", "an approver has refused these tables")
    for user in answers:
        _require_eligible(user, proposal)
    needed = rules.load().approvals
    if len(answers) < needed:
        raise FlowRefused("R5", f"{len(answers)} of {needed} approvals are recorded for exactly these tables")
    return tuple(sorted(answers))


def _require_eligible(user: str, proposal: Proposal) -> None:
    if user not in rules.load().approvers:
        raise FlowRefused("R5", "the answer does not come from an approver named in policy/release.toml")
    if user == proposal.author:
        raise FlowRefused("R5", "the author of a release cannot approve it")
