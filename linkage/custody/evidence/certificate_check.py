"""A certificate of destruction checked offline: no database, no service, at most two public keys (D9, D11)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linkage.custody import keys
from linkage.custody.evidence import offline as evidence
from linkage.errors import CheckFailed

_FOREIGN = (
    "this is not a certificate of destruction as it was signed; `linkage certificate HOLDING --json` prints one to save"
)
_SAME = ("holding", "store", "dataset_class", "programme")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: its short name, whether it holds, and that as an English sentence."""

    name: str
    holds: bool
    said: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every check of one certificate; `told` is the certificate."""

    told: Mapping[str, Any]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return all(check.holds for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """As plain JSON."""
        named = {check.name: check.holds for check in self.checks}
        return {"certificate": self.told.get("id"), "holding": self.told.get("holding"), "ok": self.ok, "checks": named}


def read(document: str) -> dict[str, Any]:
    """The certificate inside a signed document. Raises CheckFailed when it is none."""
    try:
        told = json.loads(json.loads(document)["certificate"])
    except (ValueError, KeyError, TypeError):
        raise CheckFailed(_FOREIGN) from None
    if not isinstance(told, dict):
        raise CheckFailed(_FOREIGN)
    return told


def verify(document: str, public_key: bytes | None = None, witness_key: bytes | None = None) -> Verdict:
    """Check signature, ledger proof and that the proved entry tells of this very destruction.

    `public_key` and `witness_key` are raw Ed25519 keys, of the holder's verifier and of the ledger's witness; where
    one is not given, the one the document carries is believed. Raises CheckFailed when it is no certificate at all.
    """
    told = read(document)
    return Verdict(told, (_signature(document, public_key), _proof(told, witness_key), _entry(told)))


def _signature(document: str, public_key: bytes | None) -> Check:
    whose = "the verifier's" if public_key else "by the key that it carries"
    if _signed(json.loads(document), public_key):
        return Check("signature", True, f"The signature is genuine ({whose}): nothing was changed since it was issued.")
    return Check(
        "signature", False, f"The signature does NOT hold ({whose}): it was changed, or somebody else issued it."
    )


def _signed(outer: Mapping[str, Any], public_key: bytes | None) -> bool:
    try:
        carried = base64.b64decode(outer["public_key"])
        text, signature = str(outer["certificate"]).encode(), base64.b64decode(outer["signature"])
    except (KeyError, ValueError, TypeError):
        return False
    return public_key in (None, carried) and keys.verify_with(carried, text, signature)


def _proof(told: Mapping[str, Any], witness_key: bytes | None) -> Check:
    proof = told.get("ledger")
    if isinstance(proof, Mapping) and evidence.proved(proof, witness_key):
        size = proof["checkpoint"]["size"]
        return Check(
            "ledger_proof", True, f"Entry {proof['index']} is in the ledger of {size} entries that the witness signed."
        )
    return Check("ledger_proof", False, "The ledger's proof does NOT hold.")


def _entry(told: Mapping[str, Any]) -> Check:
    """The entry proved must be that of this destruction: a proof of another entry is worth nothing (D9)."""
    try:
        leaf = json.loads(told["ledger"]["leaf"])
        facts = leaf["facts"]
        right = leaf["kind"] == "destruction_verified" and all(facts[name] == told[name] for name in _SAME)
        right = right and (facts["rule"], facts["legal"]) == (told["duty"]["rule"], told["duty"]["legal"])
        right = right and (facts["key"], facts["copies_left"]) == (told["key"]["state"], told["copies_left"])
        right = right and facts["verifier"] == told["verification"]["verifier"]
    except (ValueError, KeyError, TypeError):
        right = False
    if right:
        return Check(
            "ledger_entry", True, "That entry tells of this destruction, with the same deadline, key and result."
        )
    return Check("ledger_entry", False, "That entry does NOT tell of this destruction.")
