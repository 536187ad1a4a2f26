"""Deliveries held for a person: who is waiting, and the named person's word that lets one in or turns it away."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from linkage import policy
from linkage.custody import history
from linkage.custody.evidence import ledger
from linkage.custody.models import Holding
from linkage.custody.register import Register
from linkage.custody.vault import Vault
from linkage.errors import Misuse
from linkage.feeds import FEEDS, quality
from linkage.feeds.reasons import REASONS

Word = Literal["confirmed", "rejected"]
_HELD = tuple(code for code, reason in REASONS.items() if reason.scope == "delivery")


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """A delivery that a person must look at: where it is kept and until when, and their word if they gave it."""

    holding: str
    feed: str
    delivery: str
    reason: str
    received_at: datetime
    until: datetime | None
    word: Word | None
    loaded: bool

    def public(self) -> dict[str, Any]:
        """For tables and `--json`."""
        until = self.until.isoformat() if self.until else None
        return {**asdict(self), "received_at": self.received_at.isoformat(), "until": until}


def listing(register: Register | None = None) -> list[HeldDelivery]:
    """Every held delivery that is still kept, the earliest first."""
    register = register or Register.open()
    said = _words()
    return [
        _told(register, one, said) for one in register.find(policy.own_store(), "quarantine") if _reason(one) in _HELD
    ]


def decide(holding_id: str, word: Word, by: str) -> HeldDelivery:
    """Note a named person's word on a held delivery, once (N1). What is confirmed, the next run loads.

    Raises Misuse for a holding that is no held delivery, one decided otherwise before, or nobody's name.
    """
    if not by.strip():
        raise Misuse("say who looked at it: --by NAME")
    found = {one.holding: one for one in listing()}
    if holding_id not in found:
        raise Misuse(f"{holding_id} is not a held delivery; `linkage feeds held` lists those that wait")
    held = found[holding_id]
    if held.word not in (None, word):
        raise Misuse(f"{holding_id} was {held.word} before; the partner sends it again if that was wrong")
    facts = {"holding": holding_id, "feed": held.feed, "reason": held.reason, "word": word, "by": by}
    ledger.record("delivery_decided", facts, once=f"decided|{holding_id}")
    return next(one for one in listing() if one.holding == holding_id)


def confirmed(vault: Vault, feed: str) -> list[HeldDelivery]:
    """Held deliveries of a feed that somebody confirmed and no run has loaded yet."""
    return [one for one in listing(vault.register) if one.feed == feed and one.word == "confirmed" and not one.loaded]


def label(stem: str, reason: str) -> str:
    """The label a held delivery is kept under: its agreed name, which holds feed and date only, and the reason."""
    return f"{stem} {reason}"


def loaded_key(holding: Holding) -> str:
    """The natural key of what a confirmed delivery becomes."""
    return f"{holding.natural_key}:confirmed"


def _told(register: Register, holding: Holding, said: dict[str, Word]) -> HeldDelivery:
    loaded = any(map(quality.ended, register.find(policy.own_store(), natural_key=loaded_key(holding), state=None)))
    return HeldDelivery(
        holding.id,
        holding.natural_key.split(":")[0],
        (holding.label or "").split(" ")[0],
        _reason(holding),
        holding.received_at,
        holding.legal,
        said.get(holding.id),
        loaded,
    )


def _reason(holding: Holding) -> str:
    return (holding.label or "").split(" ")[-1] if holding.natural_key.split(":")[0] in FEEDS else ""


def _words() -> dict[str, Word]:
    return {str(one["holding"]): one["word"] for one in history.facts("delivery_decided")}  # type: ignore[misc]
