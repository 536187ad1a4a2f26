"""Requests from the letter to the answer: kept encrypted, counted by their clock, carried out once (N21, S4).

A request's number is its holding's id. Its state is what the register holds beside it: an answer, copies, an extension,
acknowledgements; each is a holding of its own with the number in its natural key, and none of them names anybody.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from linkage import clock, policy
from linkage.clock import LONDON
from linkage.custody.evidence import ledger
from linkage.custody.models import LIVE, Holding
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, FlowRefused, Misuse
from linkage.rights import person
from linkage.rights.carrying import carry
from linkage.rights.correction import Correction
from linkage.rights.due import answer_due
from linkage.rights.figures import load as figures
from linkage.rights.request import Request
from linkage.rights.trace import recognised

CLASS: Final = "rights_request"
KINDS: Final = ("access", "rectify", "erase", "withdraw")


@dataclass(frozen=True, slots=True)
class Standing:
    """What may be shown of a request: number, kind, dates, state; no value of a person."""

    number: str
    kind: str
    received: date
    due: date
    extended: bool
    state: str  # open | overdue | answered
    copy: str  # none | ready | destroyed
    untold: tuple[str, ...]

    def public(self) -> dict[str, Any]:
        """For tables and `--json`."""
        told = asdict(self)
        return {**told, "received": f"{self.received}", "due": f"{self.due}", "untold": list(self.untold)}


def enter(
    kind: str,
    ways: Sequence[Mapping[str, str | None]] = (),
    *,
    person_ref: str | None = None,
    corrections: Sequence[Mapping[str, str | None]] = (),
    received: date | None = None,
) -> Standing:
    """Keep a request, encrypted, with the day it was received (default: today), and start its clock (S4).

    The person is told by identifiers, by their reference in the case record, or both; whoever enters it has made sure
    of who is asking. Raises Misuse for what cannot be carried out, before anything is kept.
    """
    if kind not in KINDS:
        raise Misuse(f"a request is one of {', '.join(KINDS)}")
    if (kind == "rectify") != bool(corrections):
        raise Misuse("corrections belong to rectify, and rectify needs at least one")
    day = received or clock.today()
    if day > clock.today():
        raise Misuse("a request cannot have been received in the future")
    vault = Vault(policy.own_store())
    told = [dict(way) for way in ways]
    if person_ref is not None:
        told += _of_reference(vault, person_ref)
    person.subject(told)
    content = {
        # The same words twice are two requests, each with its own clock.
        "nonce": secrets.token_hex(16),
        "kind": kind,
        "received": day.isoformat(),
        "ways": told,
        "corrections": [Correction.of(one).told() for one in corrections],
    }
    moment = clock.now() if day == clock.today() else clock.at(day, 9)
    kept = _put(vault, f"request:{content['nonce']}", kind, content, received_at=moment)
    ledger.record("rights_request", {"request": kept.id, "kind": kind}, once=f"rights|{kept.id}")
    return standing(kept)


def waiting() -> list[str]:
    """The numbers of the requests that have no answer yet, the earliest first."""
    return [one.number for one in listing() if one.state != "answered"]


def carry_out(request_id: str) -> list[str]:
    """Carry a request out and keep its answer; a second call changes nothing. Sentences for the log, without values.

    Raises Misuse for a number that is no request, CheckFailed and FlowRefused (D12) when something must wait: the
    request then stays open.
    """
    vault = Vault(policy.own_store())
    request = read(vault, request_id)
    if _beside(vault, "answer", request_id):
        return [f"{request_id}: was answered before."]
    outcome = carry(vault, request)
    document = {
        "request": request.number,
        "kind": request.kind,
        "received": f"{request.received}",
        "answer": outcome.answer,
    }
    if outcome.copies:
        _put(vault, f"copies:{request_id}", "copies", {**document, **outcome.copies}, [request_id, *outcome.sources])
    _put(vault, f"answer:{request_id}", "answer", {**document, "to_tell": outcome.to_tell}, [request_id])
    for recipient in outcome.to_tell:
        _put(vault, f"to tell:{recipient}:{request_id}", f"to tell {recipient}", {"request": request_id}, [request_id])
    ledger.record("rights_answered", {"request": request_id, "kind": request.kind}, once=f"answered|{request_id}")
    due = standing(vault.register.get(request_id)).due
    return [f"{request_id} ({request.kind}), due {due}: carried out.", *outcome.lines]


def listing() -> list[Standing]:
    """Every request that is still kept, the earliest first."""
    return [standing(one) for one in Vault(policy.own_store()).find(CLASS) if one.label in KINDS]


def standing(request: Holding) -> Standing:
    """A request's dates and state, from the register alone."""
    vault = Vault(policy.own_store())
    figure = figures().clock
    received = request.received_at.astimezone(LONDON).date()
    extended = bool(_beside(vault, "extension", request.id))
    due = answer_due(received, figure, extended)
    answered = bool(_beside(vault, "answer", request.id))
    copies = _beside(vault, "copies", request.id)
    gone = bool(copies) and all(one.state not in LIVE for one in copies)
    state = "answered" if answered else "overdue" if clock.today() > due else "open"
    return Standing(
        request.id,
        str(request.label),
        received,
        due,
        extended,
        state,
        "destroyed" if gone else "ready" if copies else "none",
        tuple(sorted(_to_tell(vault, request.id) - _told(vault, request.id))),
    )


def extend(request_id: str, reason: str) -> Standing:
    """Extend a complex request once, within its first month, by what policy/rights.toml allows (S4; Art 12(3)).

    The person must be told the reason. Raises Misuse when it is answered, extended already or without a reason,
    FlowRefused (S4) when the month is over.
    """
    vault = Vault(policy.own_store())
    request = read(vault, request_id)
    now = standing(vault.register.get(request_id))
    if now.state == "answered" or now.extended or not reason.strip():
        raise Misuse(f"{request_id} cannot be extended: it is answered or extended already, or no reason was given")
    if clock.today() > now.due:
        raise FlowRefused("S4", f"{request_id} was due on {now.due}; an extension is told within the first month")
    _put(vault, f"extension:{request_id}", "extension", {"request": request.number, "reason": reason}, [request_id])
    return standing(vault.register.get(request_id))


def acknowledge(request_id: str, recipient: str) -> Standing:
    """Note that a recipient was told and has acknowledged it (S2). Raises Misuse when it was not on the list."""
    vault = Vault(policy.own_store())
    read(vault, request_id)
    if recipient not in _to_tell(vault, request_id):
        raise Misuse(f"'{recipient}' is not among those to be told of {request_id}")
    _put(vault, f"told:{recipient}:{request_id}", f"told {recipient}", {"request": request_id}, [request_id])
    return standing(vault.register.get(request_id))


def answer(request_id: str) -> dict[str, Any]:
    """The answer with the copies, as far as they still exist. Raises CheckFailed when there is none to hand over."""
    vault = Vault(policy.own_store())
    read(vault, request_id)
    for name in ("copies", "answer"):
        held = [one for one in _beside(vault, name, request_id) if one.state == "held"]
        if held:
            document: dict[str, Any] = json.loads(vault.read_bytes(held[0].id))
            if name == "answer" and _beside(vault, "copies", request_id):
                document["answer"].append(
                    "The copy was destroyed with the data it was made of (D4). Ask again for what is held now."
                )
            return document
    raise CheckFailed(f"{request_id} has no answer yet; it is due on {standing(vault.register.get(request_id)).due}")


def read(vault: Vault, request_id: str) -> Request:
    """The request of that number. Raises Misuse when the number is another holding's."""
    held = vault.require_held(request_id)
    if held.dataset_class != CLASS or held.label not in KINDS:
        raise Misuse(f"{request_id} is not a request")
    told = json.loads(vault.read_bytes(request_id))
    corrections = tuple(Correction(**one) for one in told["corrections"])
    return Request(request_id, told["kind"], date.fromisoformat(told["received"]), tuple(told["ways"]), corrections)


def _of_reference(vault: Vault, person_ref: str) -> list[dict[str, str | None]]:
    rows = recognised(vault, person_ref)
    if rows.is_empty():
        raise Misuse("the case record holds nobody under that reference")
    return rows.to_dicts()


def _put(
    vault: Vault,
    key: str,
    label: str,
    content: Mapping[str, Any],
    parents: Sequence[str] = (),
    **kept: Any,
) -> Holding:
    data = json.dumps(content, ensure_ascii=False).encode()
    return vault.put_bytes(
        data, CLASS, programme=policy.load().name, natural_key=key, label=label, parents=list(parents), **kept
    )


def _beside(vault: Vault, what: str, request_id: str) -> list[Holding]:
    return vault.register.find(policy.own_store(), CLASS, natural_key=f"{what}:{request_id}", state=None)


def _to_tell(vault: Vault, request_id: str) -> set[str]:
    return _recipients(vault, "to tell", request_id)


def _told(vault: Vault, request_id: str) -> set[str]:
    return _recipients(vault, "told", request_id)


def _recipients(vault: Vault, what: str, request_id: str) -> set[str]:
    keys = [one.natural_key.split(":") for one in vault.find(CLASS)]
    return {key[1] for key in keys if len(key) == 3 and key[0] == what and key[2] == request_id}
