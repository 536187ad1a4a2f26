"""A certificate looked at again today, from five sides: signature, record, ledger, copies, key (D7, D9, D11)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from linkage.custody import keys
from linkage.custody.destruction import verification
from linkage.custody.evidence import certificate_check, certificate_page, ledger
from linkage.custody.models import CertificateRow, Holding, LedgerRow
from linkage.custody.register import Register
from linkage.custody.stores import objects, places
from linkage.errors import LinkageError, Unknown

_QUESTIONS = {
    "signature": "Did the verifier sign it, unchanged?",
    "ledger_proof": "Does its proof lead to a checkpoint that the witness signed?",
    "ledger_entry": "Is the proved entry the one of this destruction?",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One question to a certificate: `holds` is None where it could not be asked, and `said` why."""

    question: str
    holds: bool | None
    said: str

    @property
    def word(self) -> str:
        """The result as a word."""
        return {True: "Yes", False: "No", None: "Could not be checked"}[self.holds]


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate as it stands in the register."""

    id: str
    holding: Holding
    document: str
    sha256: str

    @property
    def told(self) -> dict[str, Any]:
        """What it certifies. Raises CheckFailed when the document is none."""
        return certificate_check.read(self.document)

    @property
    def text(self) -> str:
        """The bytes under the signature, as text."""
        return str(json.loads(self.document)["certificate"])


def find(certificate_id: str) -> Issued:
    """The certificate with that number. Raises Unknown."""
    register = Register.open()
    with register.transaction() as session:
        row = session.get(CertificateRow, certificate_id)
    if row is None:
        raise Unknown("there is no certificate with that number")
    return Issued(row.id, register.get(row.holding_id), row.document, row.sha256)


def readable(issued: Issued) -> tuple[str, list[tuple[str, list[tuple[str, Any]]]]]:
    """A certificate to read: two sentences, then headings with labelled lines.

    One of another version, whose fields this one does not know, is shown field by field: it outlives us (D9, D11).
    """
    told = issued.told
    try:
        return certificate_page.summary(told), list(certificate_page.sections(told))
    except (KeyError, TypeError, ValueError):
        said = "This certificate was issued by another version of this system. Here is all that it says."
        return said, [("What it says", list(_fields(told)))]


def _fields(told: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in told.items():
        label = f"{above}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _fields(value, f"{label}, ")
        else:
            yield label, str(value)


def look_again(issued: Issued) -> list[Answer]:
    """Every check, made now as the verifier; one that cannot be made does not keep the others from being made."""
    return [
        *_offline(issued),
        _asked("Is it the one the ledger recorded?", lambda: _recorded(issued)),
        _asked("Does the proved entry stand in the ledger today?", lambda: _stands(issued)),
        *_copies(issued),
        _asked("Is the key gone?", lambda: _key(issued)),
    ]


def _asked(question: str, ask: Callable[[], tuple[bool, str]]) -> Answer:
    try:
        holds, said = ask()
    except LinkageError as error:
        return Answer(question, None, f"{error}.")
    except (KeyError, ValueError, TypeError):
        return Answer(question, False, "The certificate is damaged.")
    return Answer(question, holds, said)


def _offline(issued: Issued) -> Iterator[Answer]:
    """What anybody can check with the document alone, here against the keys as the key service knows them."""
    verifier = verification.verifier_of(issued.holding.store)
    try:
        public_key = keys.service(verifier).public_key(f"sign-{verifier}")
        witness_key = keys.service("witness").public_key(ledger.WITNESS_KEY)
        checks = certificate_check.verify(issued.document, public_key, witness_key).checks
    except LinkageError as error:
        yield from (Answer(question, None, f"{error}.") for question in _QUESTIONS.values())
        return
    for check in checks:
        yield Answer(_QUESTIONS.get(check.name, check.name), check.holds, check.said)


def _recorded(issued: Issued) -> tuple[bool, str]:
    digest = hashlib.sha256(issued.text.encode()).hexdigest()
    query = select(LedgerRow.leaf).where(LedgerRow.once == f"certified|{issued.holding.id}")
    with Register.open().transaction() as session:
        leaf = session.scalar(query)
    if leaf is None:
        return False, "The ledger has no entry of its issue."
    if json.loads(leaf)["facts"]["sha256"] == digest == issued.sha256:
        return True, "Its SHA-256 is the one in the ledger's entry of its issue."
    return False, "Its SHA-256 is not the one in the ledger's entry of its issue."


def _stands(issued: Issued) -> tuple[bool, str]:
    proof = issued.told["ledger"]
    with Register.open().transaction() as session:
        leaf = session.scalar(select(LedgerRow.leaf).where(LedgerRow.seq == int(proof["index"])))
    if leaf == proof["leaf"]:
        return True, f"Entry {proof['index']} of the register's ledger is the same, word for word."
    return False, f"Entry {proof['index']} of the register's ledger is another one today."


def _copies(issued: Issued) -> Iterator[Answer]:
    """One check for each configured object store: replicas included."""
    holding = issued.holding
    verifier = verification.verifier_of(holding.store)
    for place in dict.fromkeys(spot.place for spot in places.spots_of(holding)):

        def ask(place: str = place) -> tuple[bool, str]:
            spots = [spot for spot in places.spots_of(holding) if spot.place == place]
            store = objects.client(verifier, place)
            found = sum(store.copies(spot.bucket, spot.prefix) for spot in spots)
            said = f"{verifier} listed every place of it now: {found or 'no'} versions, markers or unfinished uploads."
            return found == 0, said

        yield _asked(f"Are all copies gone from the {place} store?", ask)


def _key(issued: Issued) -> tuple[bool, str]:
    holding, certified = issued.holding, issued.told["key"]["state"]
    if holding.wrapped_dek is not None or holding.wrapped_secrets is not None:
        return False, "The register holds its wrapped key again."
    if holding.kek is None or certified == "never held":
        return True, "This store never held a key to it."
    service = keys.service(verification.verifier_of(holding.store))
    if not service.key_exists(holding.kek):
        return True, f"The key service has no key {holding.kek}: no backup of a wrapped key opens any more."
    if certified == "destroyed":
        return False, f"The key {holding.kek} exists again."
    return True, f"Its own data key was erased; {holding.kek} serves other holdings until its own date."
