"""Disclosure outside every other purpose, where the law requires or permits it: asked, approved by two, made once (N19).

Narrow on purpose: one holding of the authority, or what it holds about one person, for one named authority. The ledger
says who asked, for whom, on which ground and who approved, and nothing about a person. What ONS, the departments or
MHCLG hold is never reached from here (N14).
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from linkage import clock, policy
from linkage.custody import history
from linkage.custody.evidence import ledger
from linkage.custody.evidence.batch_level import holds_nino
from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, FlowRefused, Misuse
from linkage.rights import copies, person
from linkage.rights.figures import load as figures
from linkage.rights.trace import Trace, trace

CLASS: Final = "exceptional_disclosure"
APPROVE, REFUSE = "Approve", "Reject"
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{2,60}")


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, as the ledger has it: `holding` is None where it is about one person."""

    number: str
    asked_by: str
    authority: str
    reason: str
    reference: str
    holding: str | None
    asked_at: datetime


def ask(
    asked_by: str,
    authority: str,
    reason: str,
    reference: str,
    *,
    holding: str | None = None,
    ways: Sequence[Mapping[str, str | None]] = (),
) -> Question:
    """Ask for one holding, or for what is held about one person (`ways` is how they are written), for a named authority.

    `reason` is one of policy/rights.toml, `reference` the order's or case's own number and names nobody. Raises Misuse
    for anything missing or more than one of both, CheckFailed when the holding is no longer held.
    """
    for value, what in ((asked_by, "who asks"), (authority, "for which authority")):
        if not value.strip():
            raise Misuse(f"N19: say {what}")
    told = figures().exceptional
    if reason not in told.reasons:
        raise Misuse(f"N19: a reason is one of {', '.join(told.reasons)}")
    if not _REFERENCE.fullmatch(reference) or holds_nino(f"{reference} {authority}"):
        raise Misuse("N19: name the order or case by its own number, and nobody in it")
    if (holding is None) == (not ways):
        raise Misuse("N19: one holding, or one person; never both, and never everybody")
    vault = Vault(policy.own_store())
    if holding is not None:
        _require_disclosable(vault, holding)
    else:
        person.subject(list(ways))
    content = {"nonce": secrets.token_hex(16), "ways": list(ways), "holding": holding}
    kept = _put(vault, f"exceptional:{content['nonce']}", "question", content, [holding] if holding else [])
    facts = {"disclosure": kept.id, "asked_by": asked_by, "authority": authority, "reason": reason}
    scope = {"reference": reference, "holding": holding, "asked_at": clock.now().isoformat()}
    ledger.record("disclosure_asked", {**facts, **scope}, once=f"disclosure asked|{kept.id}")
    return find(kept.id)


def find(number: str) -> Question:
    """The question of that number, from the ledger. Raises FlowRefused (N19) for one that was never asked."""
    for facts in history.facts("disclosure_asked"):
        if facts["disclosure"] == number:
            return Question(
                number,
                asked_by=str(facts["asked_by"]),
                authority=str(facts["authority"]),
                reason=str(facts["reason"]),
                reference=str(facts["reference"]),
                holding=None if facts["holding"] is None else str(facts["holding"]),
                asked_at=datetime.fromisoformat(str(facts["asked_at"])),
            )
    raise FlowRefused("N19", "this disclosure was never asked for")


def answer(number: str, user: str, said: str) -> None:
    """Note a named person's answer. Raises FlowRefused (N19) for somebody who may not approve, or too late."""
    if said not in (APPROVE, REFUSE):
        raise Misuse(f"an answer is {APPROVE} or {REFUSE}")
    question = find(number)
    _require_eligible(user, question)
    _require_in_time(question)
    facts = {"disclosure": number, "user": user, "answer": said}
    ledger.record("disclosure_answer", facts, once=f"disclosure answer|{number}|{user}")


def require_approved(number: str) -> tuple[str, ...]:
    """The people who approved. Raises FlowRefused (N19) unless as many as it takes may have, and nobody refused."""
    question = find(number)
    _require_in_time(question)
    answers = {
        str(facts["user"]): str(facts["answer"])
        for facts in history.facts("disclosure_answer")
        if facts["disclosure"] == number
    }
    if REFUSE in answers.values():
        raise FlowRefused("N19", "somebody has refused this disclosure")
    for user in answers:
        _require_eligible(user, question)
    needed = figures().exceptional.approvals
    if len(answers) < needed:
        raise FlowRefused("N19", f"{len(answers)} of {needed} approvals are recorded")
    return tuple(sorted(answers))


def make(number: str) -> Holding:
    """Make the approved disclosure, sealed, and note it in the ledger; a second call gives the first one's copy.

    Approvals, time and what is still held are looked up here, whatever was done before. Raises FlowRefused (N19) without
    approvals, (D2) when the copy is destroyed already; CheckFailed when nothing is held any more.
    """
    people = require_approved(number)
    question, vault = find(number), Vault(policy.own_store())
    known = vault.register.find(vault.store, CLASS, natural_key=_copy_key(number), state="held")
    if known:
        return known[0]
    asked = json.loads(vault.read_bytes(number))
    content, sources = _of_holding(vault, question.holding) if question.holding else _of_person(vault, asked["ways"])
    about = {
        "for": question.authority,
        "reference": question.reference,
        "basis": figures().exceptional.reasons[question.reason],
    }
    kept = _put(vault, _copy_key(number), "copy", {**about, **content}, [number, *sources])
    facts = {"disclosure": number, "copy": kept.id, "authority": question.authority, "reason": question.reason}
    told = {**facts, "reference": question.reference, "asked_by": question.asked_by, "approved_by": list(people)}
    ledger.record("disclosure_made", told, once=f"disclosure made|{number}")
    return kept


def hand_over(number: str, by: str) -> bytes:
    """The copy's bytes for the named authority; who handed it over is noted. Raises as `make`, Misuse without a name."""
    if not by.strip():
        raise Misuse("N19: say who hands it over")
    kept = make(number)
    data = Vault(policy.own_store()).read_bytes(kept.id)
    ledger.record("disclosure_handed_over", {"disclosure": number, "by": by, "authority": find(number).authority})
    return data


def _of_holding(vault: Vault, holding: str) -> tuple[dict[str, Any], list[str]]:
    held = _require_disclosable(vault, holding)
    data = base64.b64encode(vault.read_bytes(holding)).decode()
    return {"holding": holding, "class": held.dataset_class, "label": held.label, "base64": data}, [holding]


def _of_person(vault: Vault, ways: Sequence[Mapping[str, str | None]]) -> tuple[dict[str, Any], list[str]]:
    """By the way a person's own request goes: their rows, other people redacted."""
    known = trace(vault, person.subject(list(ways)))
    lasting = [one for one in known.found if one.holding.legal is None or one.holding.legal > clock.now()]
    shown = copies.sections(Trace(known.ways, found=lasting), figures().copy)
    if not shown:
        raise CheckFailed("N19: nothing is held about this person any more, or nothing that is surely theirs")
    return {"sections": shown}, [one.holding.id for one in lasting]


def _require_disclosable(vault: Vault, holding: str) -> Holding:
    held = vault.require_held(holding)
    if held.dataset_class in (CLASS, "rights_request", "suppression"):
        raise FlowRefused("N19", f"a holding of class '{held.dataset_class}' is not disclosed")
    return held


def _require_eligible(user: str, question: Question) -> None:
    if user not in figures().exceptional.approvers:
        raise FlowRefused("N19", "the answer does not come from an approver named in policy/rights.toml")
    if user == question.asked_by:
        raise FlowRefused("N19", "who asks for a disclosure cannot approve it")


def _require_in_time(question: Question) -> None:
    if clock.now() > question.asked_at + timedelta(days=figures().exceptional.valid_days):
        raise FlowRefused("N19", f"{question.number} was asked for too long ago; ask again")


def _copy_key(number: str) -> str:
    return f"exceptional copy:{number}"


def _put(vault: Vault, key: str, label: str, content: Mapping[str, Any], parents: Sequence[str]) -> Holding:
    data = json.dumps(content, ensure_ascii=False).encode()
    return vault.put_bytes(
        data, CLASS, programme=policy.load().name, natural_key=key, label=label, parents=list(parents)
    )
