"""The ledger: an append-only Merkle log of what was done, batch by batch, never person by person (D10, D11).

Each entry keeps the heads of the complete subtrees it closes, so that an append, a checkpoint or a proof reads a
logarithm of the ledger and not the whole of it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from linkage import clock, settings
from linkage.custody import keys
from linkage.custody.evidence import merkle
from linkage.custody.evidence import offline as evidence
from linkage.custody.evidence.batch_level import require_batch_level
from linkage.custody.evidence.checkpoint import Checkpoint
from linkage.custody.models import LedgerRow
from linkage.custody.register import Register, hold_lock
from linkage.custody.stores import objects
from linkage.errors import CheckFailed, Misuse

WITNESS_BUCKET = "ledger-witness"
WITNESS_KEY = "sign-witness"
_PREFIX = "checkpoints/"
_AT_ONCE = 1_000
_READERS = 8
_BITS = 62  # of a size that fits into the table's numbers

# The tree as it stands, in one question: its size, and for each bit of it the row of the leaf that closed that subtree.
_TREE = text(f"""
WITH bits(level) AS (VALUES {", ".join(f"({level})" for level in range(_BITS))}),
 tree AS (SELECT COALESCE(max(seq) + 1, 0) AS size FROM ledger_entries)
SELECT tree.size, bits.level, closing.leaf_hash, closing.subtrees FROM tree
 LEFT JOIN bits ON (tree.size >> bits.level) & 1 = 1
 LEFT JOIN ledger_entries AS closing ON closing.seq = ((tree.size >> bits.level) << bits.level) - 1
ORDER BY bits.level DESC""")  # noqa: S608  (numbers only)


@dataclass(frozen=True, slots=True)
class Entry:
    """What an append is told. An entry whose `once` is known is not written again."""

    kind: str
    facts: Mapping[str, Any]
    once: str | None = None


def append(session: Session, kind: str, facts: Mapping[str, Any], once: str | None = None) -> int:
    """Append an entry within the caller's transaction and return its number (from 0); see `append_all`."""
    [seq] = append_all(session, [Entry(kind, facts, once)])
    return seq


def append_all(session: Session, entries: Sequence[Entry]) -> list[int]:
    """Append entries within the caller's transaction, in order, and return their numbers.

    Raises CheckFailed (D10) for facts about a person, and for counts of persons at DWP, MoJ and DfE (name the
    holding's place in `store` or `holder`). Writers queue for the ledger until their transaction ends.
    """
    for entry in entries:
        require_batch_level(entry.facts)
    hold_lock(session, "ledger")
    numbers = _known(session, [entry.once for entry in entries if entry.once is not None])
    tree, now, simulated = _frontier(session), clock.now(), clock.is_simulated()
    rows: list[dict[str, Any]] = []
    told: list[int] = []
    for entry in entries:
        seq = numbers.get(entry.once) if entry.once is not None else None
        if seq is None:
            seq = tree.size
            rows.append(_row(entry, seq, now.isoformat(), simulated, tree) | {"at": now})
            if entry.once is not None:
                numbers[entry.once] = seq
        told.append(seq)
    if rows:
        session.connection().execute(insert(LedgerRow.__table__), rows)  # type: ignore[arg-type]  # it is a table
    return told


def record(kind: str, facts: Mapping[str, Any], once: str | None = None) -> int:
    """Append an entry in a transaction of its own."""
    with Register.open().transaction() as session:
        return append(session, kind, facts, once)


def known(once: str) -> bool:
    """Whether an entry of that `once` has been written."""
    with Register.open().transaction() as session:
        return bool(_known(session, [once]))


def facts(kind: str) -> list[dict[str, Any]]:
    """The facts of every entry of a kind, oldest first."""
    return [facts for _, facts in dated_facts(kind)]


def dated_facts(kind: str) -> list[tuple[datetime, dict[str, Any]]]:
    """When each entry of a kind was made, and its facts, oldest first."""
    query = select(LedgerRow.leaf).where(LedgerRow.kind == kind).order_by(LedgerRow.seq)
    with Register.open().transaction() as session:
        told = [json.loads(leaf) for leaf in session.scalars(query)]
    return [(datetime.fromisoformat(one["at"]), one["facts"]) for one in told]


def leaves(session: Session) -> list[str]:
    """Every leaf, in order."""
    return list(session.scalars(select(LedgerRow.leaf).order_by(LedgerRow.seq)))


def checkpoint() -> Checkpoint:
    """Sign the present tree head and keep it with the witness: another place, another credential, locked (D11)."""
    with Register.open().transaction() as session:
        tree = _frontier(session)
    signed = _sign(tree.size, tree.head())
    name = f"{_PREFIX}{signed.size:012d}.json"
    objects.client("witness").put(WITNESS_BUCKET, name, json.dumps(signed.told()).encode())
    return signed


def proof(seq: int) -> dict[str, Any]:
    """Inclusion proof of an entry under a fresh checkpoint: leaf, index, audit path, checkpoint (D9). Raises Misuse."""
    signed = checkpoint()
    if not 0 <= seq < signed.size:
        raise Misuse(f"the ledger has the entries 0 to {signed.size - 1}; there is no entry {seq}")
    with Register.open().transaction() as session:
        leaf = session.scalars(select(LedgerRow.leaf).where(LedgerRow.seq == seq)).one()
        path = _range_heads(session, merkle.inclusion_ranges(seq, signed.size))
    return {"leaf": leaf, "index": seq, "path": [step.hex() for step in path], "checkpoint": signed.told()}


def consistency(earlier: Checkpoint) -> dict[str, Any]:
    """Proof that the ledger only grew since an earlier checkpoint: `{"earlier", "later", "path"}`.

    Raises CheckFailed when the ledger is shorter by now. Whether the proof holds is `evidence.only_grew`.
    """
    signed = checkpoint()
    evidence.require_reach(earlier, signed.size)
    with Register.open().transaction() as session:
        ranges = merkle.consistency_ranges(earlier.size, signed.size) if earlier.size else []
        path = _range_heads(session, ranges)
    return {"earlier": earlier.told(), "later": signed.told(), "path": [step.hex() for step in path]}


def export(file: Path) -> int:
    """Write a fresh checkpoint and every leaf, one a line; beside it `<file>.checkpoint.json`. Returns the entries."""
    signed = checkpoint()
    query = select(LedgerRow.leaf).where(LedgerRow.seq < signed.size).order_by(LedgerRow.seq)
    with Register.open().transaction() as session:
        evidence.write(file, signed, session.scalars(query.execution_options(yield_per=_AT_ONCE)))
    return signed.size


def verify_live() -> dict[str, Any]:
    """`{"entries", "ok", "checkpoints"}`: the register's ledger against every checkpoint the witness keeps.

    Leaves, their hashes and the kept subtrees are all worked out anew.
    """
    kept = witnessed()
    key = keys.service("witness").public_key(WITNESS_KEY)
    wanted = {signed.size for signed in kept}
    heads, tree, ok = {0: merkle.EMPTY}, merkle.Frontier(), True
    for row in _rows():
        digest = merkle.leaf_hash(row.leaf.encode())
        ok = ok and (row.seq, row.leaf_hash) == (tree.size, digest.hex())
        ok = ok and b"".join(tree.add(digest)) == (row.subtrees or b"")
        if tree.size in wanted:
            heads[tree.size] = tree.head()
    for signed in kept:
        ok = ok and signed.holds(key) and signed.size in heads and heads[signed.size].hex() == signed.root
    return {"entries": tree.size, "ok": bool(ok), "checkpoints": len(kept)}


def witnessed() -> list[Checkpoint]:
    """Every checkpoint the witness keeps, all versions of each, smallest first. Raises CheckFailed for a foreign one."""
    store = objects.client("witness")
    found = [one for one in store.versions(WITNESS_BUCKET, _PREFIX) if not one.marker]
    with ThreadPoolExecutor(_READERS) as readers:
        raw = list(readers.map(lambda one: store.get(WITNESS_BUCKET, one.key, one.version_id), found))
    return sorted((Checkpoint.of(json.loads(one)) for one in raw), key=lambda one: (one.size, one.at))


def public_key() -> bytes:
    """The witness's raw Ed25519 public key, for auditors."""
    return keys.service("witness").public_key(WITNESS_KEY)


def _row(entry: Entry, seq: int, at: str, simulated: bool, tree: merkle.Frontier) -> dict[str, Any]:
    told = {"at": at, "facts": dict(entry.facts), "kind": entry.kind, "seq": seq, "simulated": simulated}
    leaf = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = merkle.leaf_hash(leaf.encode())
    closed = b"".join(tree.add(digest))
    named = {"seq": seq, "kind": entry.kind, "once": entry.once}
    return {**named, "leaf": leaf, "leaf_hash": digest.hex(), "subtrees": closed or None}


def _known(session: Session, onces: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(onces), _AT_ONCE):
        wanted = LedgerRow.once.in_(onces[start : start + _AT_ONCE])
        found |= {str(once): seq for once, seq in session.execute(select(LedgerRow.once, LedgerRow.seq).where(wanted))}
    return found


def _frontier(session: Session) -> merkle.Frontier:
    """The tree as it stands. Rows are never changed, so what lies below the last number is settled."""
    size, peaks = 0, []
    for size, level, digest, closed in session.connection().execute(_TREE):  # noqa: B007  (each row names the size)
        if level is not None:
            peaks.append(_node((digest, closed), level, (size >> level << level) - 1))
    return merkle.Frontier(size, peaks)


def _range_heads(session: Session, ranges: Sequence[merkle.Range]) -> list[bytes]:
    places = [merkle.complete(start, end) for start, end in ranges]
    nodes = _nodes(session, [place for several in places for place in several])
    return [merkle.fold([nodes[place] for place in several]) for several in places]


def _nodes(session: Session, places: Sequence[merkle.Place]) -> dict[merkle.Place, bytes]:
    """The heads of complete subtrees, each from the row of the leaf that closed it."""
    rows = {place: (place[1] + 1 << place[0]) - 1 for place in places}
    query = select(LedgerRow.seq, LedgerRow.leaf_hash, LedgerRow.subtrees).where(LedgerRow.seq.in_(set(rows.values())))
    kept = {seq: (digest, closed) for seq, digest, closed in session.execute(query)}
    return {place: _node(kept.get(seq), place[0], seq) for place, seq in rows.items()}


def _node(row: tuple[str | None, bytes | None] | None, level: int, seq: int) -> bytes:
    """The head of the subtree of that level, from what the row of its closing leaf keeps. Raises CheckFailed."""
    digest, closed = row or (None, None)
    kept = bytes.fromhex(digest or "") + bytes(closed or b"")
    node = kept[32 * level : 32 * (level + 1)]
    if len(node) != 32:
        raise CheckFailed(f"D11: the ledger lacks entry {seq}; see docs/runbooks/evidence.md")
    return node


def _rows() -> Iterator[Any]:
    query = select(LedgerRow.seq, LedgerRow.leaf, LedgerRow.leaf_hash, LedgerRow.subtrees).order_by(LedgerRow.seq)
    with Register.open().transaction() as session:
        yield from session.execute(query.execution_options(yield_per=_AT_ONCE))


def _sign(size: int, head: bytes) -> Checkpoint:
    service = keys.service("witness")
    public = base64.b64encode(service.public_key(WITNESS_KEY)).decode()
    bare = Checkpoint(f"linkage/{settings.load().site}", size, head.hex(), clock.now().isoformat(), "", public)
    signature = base64.b64encode(service.sign(WITNESS_KEY, bare.signed())).decode()
    return Checkpoint(bare.origin, bare.size, bare.root, bare.at, signature, public)
