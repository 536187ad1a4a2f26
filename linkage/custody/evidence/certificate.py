"""Certificates of destruction: what was destroyed, why, how, who verified it, and the ledger's proof (D9, D10)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from linkage import clock, policy, settings
from linkage.custody import faults, keys
from linkage.custody.destruction import verification
from linkage.custody.evidence import certificate_check, ledger
from linkage.custody.evidence.certificate_check import read
from linkage.custody.keys import snapshots
from linkage.custody.models import CertificateRow, Holding, StepRow, holder_of
from linkage.custody.register import Register, row_of
from linkage.errors import CheckFailed, LinkageError
from linkage.policy.schema import DEPARTMENTS

__all__ = ["certificate_id", "counts", "genuine", "issue", "read"]

SCHEMA = 2
STANDARD = "NIST SP 800-88r2, cryptographic erase; then deletion of every object version"
_KEY = {
    "destroyed": "the key-encryption key was destroyed at once; no backup of a wrapped key opens any more",
    "erased": "the holding's wrapped data key was erased; its key-encryption key serves other holdings or transfers"
    " on their way, and is destroyed on its own date, which the ledger records as key_destroyed",
    "never held": "sealed to another store; this store never held a key to it",
}
_ELSEWHERE = ("at", "ledger_entry", "copies_left", "key")


def issue(register: Register, holding_id: str) -> str:
    """Issue the one certificate of a verified destruction and return its id; called again, the same one.

    Raises CheckFailed when the destruction is not verified: nothing is certified that was not.
    """
    known = register.certificate(holding_id)
    if known is not None:
        return known.id
    holding, steps = register.get(holding_id), register.steps(holding_id)
    if holding.state != "destroyed" or "verified" not in steps:
        raise CheckFailed(f"{holding_id} is not verified as destroyed; there is nothing to certify (D7)")
    proof = ledger.proof(int(steps["verified"]["ledger_entry"]))
    faults.reach("after_checkpoint")
    text = json.dumps(_document(holding, steps, proof), sort_keys=True, separators=(",", ":"))
    signer = f"sign-{verification.verifier_of(holding.store)}"
    service = keys.service(verification.verifier_of(holding.store))
    signature = base64.b64encode(service.sign(signer, text.encode())).decode()
    public = base64.b64encode(service.public_key(signer)).decode()
    document = json.dumps({"certificate": text, "signature": signature, "key": signer, "public_key": public})
    digest = hashlib.sha256(text.encode()).hexdigest()
    faults.reach("after_signature")
    with register.transaction() as session:
        row_of(session, holding_id, lock=True)
        if session.get(CertificateRow, certificate_id(holding_id)) is not None:
            return certificate_id(holding_id)
        session.add(
            CertificateRow(
                id=certificate_id(holding_id),
                holding_id=holding_id,
                issued_at=clock.now(),
                document=document,
                sha256=digest,
                simulated=holding.simulated,
            )
        )
        session.add(StepRow(holding_id=holding_id, step="certified", at=clock.now(), detail={"sha256": digest}))
        facts = {"holding": holding_id, "certificate": certificate_id(holding_id), "sha256": digest}
        ledger.append(session, "certificate_issued", facts, once=f"certified|{holding_id}")
        faults.reach("after_certificate")
    faults.reach("after_certified")
    return certificate_id(holding_id)


def certificate_id(holding_id: str) -> str:
    """Id of the one certificate a holding can have."""
    return f"crt_{holding_id.removeprefix('hld_')}"


def genuine(document: str, public_key: bytes | None = None) -> bool:
    """Whether a certificate document is signed by its verifier and its ledger proof holds; offline.

    With `public_key` (raw Ed25519) that key must have signed; without, the one the document carries.
    """
    try:
        return certificate_check.verify(document, public_key).ok
    except CheckFailed:
        return False


def counts() -> dict[str, int]:
    """`{"issued", "verified"}`: verified means its signature holds and its objects and keys are gone, looked at now."""
    register = Register.open()
    issued = register.certificates()
    return {"issued": len(issued), "verified": sum(_holds(register, row) for row in issued)}


def _holds(register: Register, row: CertificateRow) -> bool:
    holding = register.get(row.holding_id)
    verifier = verification.verifier_of(holding.store)
    try:
        trusted = keys.service(verifier).public_key(f"sign-{verifier}")
        told = read(row.document)
        return genuine(row.document, trusted) and verification.still_gone(holding, told["key"]["state"] == "destroyed")
    except LinkageError:
        return False


def _document(holding: Holding, steps: Mapping[str, Mapping[str, Any]], proof: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of D9. At departments no count of persons, which the register does not even hold (D10)."""
    verified, removed, intent = steps["verified"], steps["objects"], steps["intent"]
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "id": certificate_id(holding.id),
        "holding": holding.id,
        "holder": holding.holder,
        "store": holding.store,
        "controller": policy.load(holding.programme).file.programme.controller,
        "programme": holding.programme,
        "wave": holding.wave,
        "dataset_class": holding.dataset_class,
        "label": holding.label,
        "lawful_basis": holding.lawful_basis,
        "duty": {
            "rule": holding.rule,
            "received_at": holding.received_at.isoformat(),
            "target": holding.target.isoformat() if holding.target else None,
            "legal": holding.legal.isoformat() if holding.legal else None,
            "reason": intent["reason"],
        },
        "location": {"bucket": removed["bucket"], "prefix": removed["prefix"], "copies": removed.get("places", [])},
        "removed": {key: removed[key] for key in ("versions", "markers", "uploads")},
        "delivered_originals": removed.get("originals", 0),
        "copies_left": verified["copies_left"],
        "method": STANDARD,
        "key": _key(holding, str(verified["key"])),
        "verification": {name: value for name, value in verified.items() if name not in _ELSEWHERE},
        "tool": f"linkage {_version()}",
        "operator": intent["operator"],
        "authoriser": f"policy {holding.programme}, rule {holding.rule}",
        "began": intent["at"],
        "ended": verified["at"],
        "snapshots": snapshots.snapshots_covering(holding.kek) if holding.kek else [],
        "exceptions": _exceptions(holding, verified),
        "simulated_clock": holding.simulated or clock.is_simulated(),
        "ledger": proof,
    }
    if holding.rows is not None and holder_of(holding.store) not in DEPARTMENTS:
        told["rows"] = holding.rows
    return told


def _key(holding: Holding, state: str) -> dict[str, Any]:
    """The key's id and what became of it; what its service still shows of a destroyed one; backups that held it."""
    told: dict[str, Any] = {"id": holding.kek, "state": state, "meaning": _KEY[state], "remains": None, "snapshots": []}
    if holding.kek is not None:
        told["snapshots"] = snapshots.snapshots_covering(holding.kek)
    if holding.kek is not None and state == "destroyed":
        told["remains"] = keys.service(verification.verifier_of(holding.store)).remains(holding.kek)
    return told


def _exceptions(holding: Holding, verified: Mapping[str, Any]) -> list[str]:
    told = []
    if verified["key"] == "erased":
        told.append(_KEY["erased"])
    if holding.legal is not None and holding.destroyed_at is not None and holding.destroyed_at > holding.legal:
        told.append("destroyed after its legal deadline: a breach")
    told += [
        f"was kept from destruction by a legal hold of {facts['authority']}, placed until {facts['until']} (D12)"
        for facts in ledger.facts("hold_placed")
        if facts["holding"] == holding.id
    ]
    if any(holding.kek in one.keys and one.gone_at is None for one in snapshots.known()):
        told.append("a snapshot of the key service that holds the key still exists; it is named with the key (D7)")
    if settings.load().weed_master_url:
        told.append(
            "deleted ciphertext stays in volume files until the vacuum at the end of the sweep; its key is gone"
        )
    return told


def _version() -> str:
    try:
        return version("linkage")
    except PackageNotFoundError:
        return "0.1.0"
