"""Receipts: what became of a transfer, said by whoever it reached, without a word about its content (N14, D10).

Nothing is sent to a sender: the recipient writes below its own name in the directory, and the sender looks there. A receipt
names a transfer, the manifest that came and the answer; never a count, and nothing that was in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from linkage.custody.transfers import directory
from linkage.errors import CheckFailed, FlowRefused, LinkageError

Answer = Literal["accepted", "forwarded", "refused"]
ON_THE_WAY = frozenset({"altered", "unreadable", "unsigned"})
"""Reasons that lie in what happened between the sites: the same may be sent again. Every other one needs a person."""
_FIELDS = {"transfer", "manifest", "answer", "reason"}


class Refused(CheckFailed):
    """A transfer that is not taken; `reason` is the word a receipt gives for it."""

    def __init__(self, reason: str, said: str) -> None:
        super().__init__(said)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Receipt:
    """One answer of one store; `manifest` is the SHA-256 of the manifest's bytes as they came."""

    transfer: str
    by: str
    manifest: str
    answer: Answer
    reason: str | None
    at: datetime


def mark(raw: bytes) -> str:
    """How a receipt names a manifest: SHA-256 of its bytes."""
    return hashlib.sha256(raw).hexdigest()


def give(store: str, transfer: str, manifest: str, answer: Answer, reason: str | None = None) -> None:
    """Write a receipt, once: what was answered stays, except that a refused manifest may be accepted after all."""
    name = _name(transfer, manifest)
    if name in directory.names(store, store, name):
        before = directory.read(store, store, name, _FIELDS)["answer"]
        if before != "refused" or answer == "refused":
            return
    told = {"transfer": transfer, "manifest": manifest, "answer": answer, "reason": reason}
    directory.publish(store, name, told)


def given(reader: str, store: str, transfer: str) -> list[Receipt]:
    """The receipts a store gave for a transfer, oldest first. Raises CheckFailed for one that is not the store's."""
    found = []
    for name in directory.names(reader, store, f"{directory.RECEIPTS}/{transfer}/"):
        told = directory.read(reader, store, name, _FIELDS)
        if name != _name(told["transfer"], told["manifest"]) or told["answer"] not in get_args(Answer):
            raise CheckFailed(f"the directory entry {store}/{name} is no receipt")
        at = datetime.fromisoformat(told["at"])
        found.append(Receipt(transfer, store, told["manifest"], told["answer"], told["reason"], at))
    return sorted(found, key=lambda one: one.at)


def reason_of(error: LinkageError) -> str:
    """The word for a refusal: its own, the rule that refused, or that the transfer could not be opened."""
    if isinstance(error, Refused):
        return error.reason
    return error.rule if isinstance(error, FlowRefused) else "unopened"


def _name(transfer: str, manifest: str) -> str:
    return f"{directory.RECEIPTS}/{transfer}/{manifest[:32]}.json"
