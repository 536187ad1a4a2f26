"""The ledger: an append-only Merkle log of what was done, batch by batch, never person by person (D10, D11)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from linkage import clock, settings
from linkage.custody import keys, merkle, objects
from linkage.custody.models import LedgerRow, holder_of
from linkage.custody.register import Register, hold_lock
from linkage.errors import CheckFailed, Misuse
from linkage.policy.schema import DEPARTMENTS

WITNESS_BUCKET = "ledger-witness"
WITNESS_KEY = "sign-witness"
_PREFIX = "checkpoints/"
_PERSONAL = {"name", "names", "forename", "surname", "nino", "date_of_birth", "dob", "gender", "address", "postcode"}
_PERSONAL |= {"uprn", "upn", "nhs_number", "person", "person_ref", "person_token"}
_COUNTS = {"rows", "people", "persons", "families", "matched", "requested", "returned", "records", "cohort"}
_NINO = re.compile(r"(?i)\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]?\b")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed tree head: `size` leaves have the head `root`; `signature` is the witness key's, over `signed()`."""

    origin: str
    size: int
    root: str
    at: str
    signature: str
    public_key: str

    def signed(self) -> bytes:
        """The bytes under the signature."""
        return f"{self.origin}\n{self.size}\n{self.root}\n{self.at}\n".encode()

    def holds(self, public_key: bytes | None = None) -> bool:
        """Whether the signature is genuine, by the given key or else by the one it carries."""
        key = public_key or base64.b64decode(self.public_key)
        return keys.verify_with(key, self.signed(), base64.b64decode(self.signature))


def append(session: Session, kind: str, facts: Mapping[str, Any], once: str | None = None) -> int:
    """Append an entry within the caller's transaction and return its number (from 0).

    An entry whose `once` is known is not written again. Raises CheckFailed (D10) for facts about a person, and for
    counts of persons at DWP, MoJ and DfE (name the holding's place in `store` or `holder`).
    """
    _require_batch_level(facts)
    hold_lock(session, "ledger")
    if once is not None:
        known = session.scalars(select(LedgerRow.seq).where(LedgerRow.once == once)).first()
        if known is not None:
            return known
    seq = session.scalar(select(func.count()).select_from(LedgerRow)) or 0
    now = clock.now()
    told = {"at": now.isoformat(), "facts": dict(facts), "kind": kind, "seq": seq, "simulated": clock.is_simulated()}
    leaf = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = merkle.leaf_hash(leaf.encode()).hex()
    session.add(LedgerRow(seq=seq, at=now, kind=kind, once=once, leaf=leaf, leaf_hash=digest))
    session.flush()
    return seq


def record(kind: str, facts: Mapping[str, Any], once: str | None = None) -> int:
    """Append an entry in a transaction of its own."""
    with Register.open().transaction() as session:
        return append(session, kind, facts, once)


def leaves(session: Session) -> list[str]:
    """Every leaf, in order."""
    return list(session.scalars(select(LedgerRow.leaf).order_by(LedgerRow.seq)))


def checkpoint() -> Checkpoint:
    """Sign the present tree head and keep it with the witness: another place, another credential, locked (D11)."""
    with Register.open().transaction() as session:
        hashes = _hashes(session)
    signed = _sign(len(hashes), merkle.root(hashes))
    name = f"{_PREFIX}{signed.size:012d}.json"
    objects.client("witness").put(WITNESS_BUCKET, name, json.dumps(asdict(signed)).encode())
    return signed


def proof(seq: int) -> dict[str, Any]:
    """Inclusion proof of an entry under a fresh checkpoint: leaf, index, audit path, checkpoint (D9)."""
    signed = checkpoint()
    with Register.open().transaction() as session:
        hashes = _hashes(session)[: signed.size]
        leaf = session.scalars(select(LedgerRow.leaf).where(LedgerRow.seq == seq)).one()
    path = [step.hex() for step in merkle.inclusion(hashes, seq)]
    return {"leaf": leaf, "index": seq, "path": path, "checkpoint": asdict(signed)}


def proved(told: Mapping[str, Any], public_key: bytes | None = None) -> bool:
    """Whether an inclusion proof holds, offline."""
    signed = Checkpoint(**told["checkpoint"])
    leaf = merkle.leaf_hash(str(told["leaf"]).encode())
    path = [bytes.fromhex(step) for step in told["path"]]
    head = bytes.fromhex(signed.root)
    return signed.holds(public_key) and merkle.included(leaf, int(told["index"]), signed.size, path, head)


def export(file: Path) -> int:
    """Write a fresh checkpoint and every leaf, one a line; beside it `<file>.checkpoint.json`. Returns the entries."""
    signed = checkpoint()
    with Register.open().transaction() as session:
        told = leaves(session)[: signed.size]
    file.write_text("\n".join([json.dumps({"ledger": asdict(signed)}), *told]) + "\n", encoding="utf-8")
    file.with_name(file.name + ".checkpoint.json").write_text(json.dumps(asdict(signed)) + "\n", encoding="utf-8")
    return signed.size


def verify(file: Path, checkpoint_file: Path | None = None, public_key: bytes | None = None) -> dict[str, Any]:
    """Check an exported ledger offline: no edit, no reordering, no missing entry, no missing tail (D11).

    Against `checkpoint_file`, as the witness kept it, a shortened file is found out; without one only the checkpoint
    inside the file is checked. Returns `{"entries", "checked_to", "root"}`; raises CheckFailed, Misuse.
    """
    head, told = _read(file)
    signed = head
    if checkpoint_file is not None:
        signed = _checkpoint_of(checkpoint_file)
    _require_genuine(signed, public_key)
    _require_order(told)
    if len(told) < signed.size:
        raise CheckFailed(f"D11: the checkpoint covers {signed.size} entries, the file ends after {len(told)}")
    digest = merkle.root([merkle.leaf_hash(leaf.encode()) for leaf in told[: signed.size]])
    if digest.hex() != signed.root:
        raise CheckFailed(f"D11: the first {signed.size} entries are not those the witness signed")
    return {"entries": len(told), "checked_to": signed.size, "root": signed.root}


def verify_live() -> dict[str, Any]:
    """`{"entries", "ok", "checkpoints"}`: the register's ledger against every checkpoint the witness keeps."""
    with Register.open().transaction() as session:
        rows = session.execute(select(LedgerRow.seq, LedgerRow.leaf, LedgerRow.leaf_hash).order_by(LedgerRow.seq)).all()
    hashes = [merkle.leaf_hash(leaf.encode()) for _, leaf, _ in rows]
    told = [(seq, kept) for seq, _, kept in rows]
    ok = told == [(index, digest.hex()) for index, digest in enumerate(hashes)]
    heads = [merkle.EMPTY, *merkle.roots(hashes)]
    kept = witnessed()
    key = keys.service("witness").public_key(WITNESS_KEY)
    for signed in kept:
        ok = ok and signed.holds(key) and signed.size < len(heads) and heads[signed.size].hex() == signed.root
    return {"entries": len(rows), "ok": bool(ok), "checkpoints": len(kept)}


def witnessed() -> list[Checkpoint]:
    """Every checkpoint the witness keeps, all versions of each, smallest first."""
    store = objects.client("witness")
    found = [one for one in store.versions(WITNESS_BUCKET, _PREFIX) if not one.marker]
    told = [Checkpoint(**json.loads(store.get(WITNESS_BUCKET, one.key, one.version_id))) for one in found]
    return sorted(told, key=lambda one: (one.size, one.at))


def _sign(size: int, head: bytes) -> Checkpoint:
    service = keys.service("witness")
    public = base64.b64encode(service.public_key(WITNESS_KEY)).decode()
    bare = Checkpoint(f"linkage/{settings.load().site}", size, head.hex(), clock.now().isoformat(), "", public)
    signature = base64.b64encode(service.sign(WITNESS_KEY, bare.signed())).decode()
    return Checkpoint(bare.origin, bare.size, bare.root, bare.at, signature, public)


def _hashes(session: Session) -> list[bytes]:
    return [bytes.fromhex(told) for told in session.scalars(select(LedgerRow.leaf_hash).order_by(LedgerRow.seq))]


def _read(file: Path) -> tuple[Checkpoint, list[str]]:
    try:
        first, *told = file.read_text(encoding="utf-8").splitlines()
        return Checkpoint(**json.loads(first)["ledger"]), told
    except FileNotFoundError:
        raise Misuse(f"no such file: {file.name}") from None
    except (ValueError, KeyError, TypeError):
        raise CheckFailed(f"D11: {file.name} is not an exported ledger") from None


def _checkpoint_of(file: Path) -> Checkpoint:
    try:
        return Checkpoint(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise Misuse(f"no such file: {file.name}") from None
    except (ValueError, TypeError):
        raise CheckFailed(f"D11: {file.name} is not a checkpoint") from None


def _require_genuine(signed: Checkpoint, public_key: bytes | None) -> None:
    if not signed.holds(public_key):
        raise CheckFailed("D11: the checkpoint's signature is not the witness's")


def _require_order(told: list[str]) -> None:
    for index, leaf in enumerate(told):
        try:
            seq = json.loads(leaf)["seq"]
        except (ValueError, KeyError, TypeError):
            seq = None
        if seq != index:
            raise CheckFailed(f"D11: entry {index} is missing, out of order or not an entry")


def _require_batch_level(facts: Mapping[str, Any]) -> None:
    """D10: no person rows, no names, no hashes of them; at departments no count of persons either."""
    personal = sorted(_PERSONAL.intersection(facts))
    if personal:
        raise CheckFailed(f"D10: the ledger takes no facts about a person ({', '.join(personal)})")
    places = [str(facts.get(key) or "") for key in ("store", "holder", "sender", "recipient")]
    counts = sorted(_COUNTS.intersection(facts))
    if counts and any(holder_of(place) in DEPARTMENTS for place in places):
        raise CheckFailed(f"D10: at a department the ledger takes no count of persons ({', '.join(counts)})")
    if _NINO.search(json.dumps(list(facts.values()), default=str)):
        raise CheckFailed("D10: the ledger takes no National Insurance number")
