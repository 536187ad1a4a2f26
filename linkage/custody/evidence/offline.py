"""Evidence on file, checked offline and without a database: an exported ledger, and proofs taken from it (D11).

An export is JSON lines, gzipped when its name ends in `.gz`: the witness's checkpoint first, then one entry a line.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from linkage.custody.evidence import checkpoint, merkle
from linkage.custody.evidence.checkpoint import Checkpoint
from linkage.errors import CheckFailed, Misuse

_GZIP = b"\x1f\x8b"
_ENDS = (b'"seq":%d,"simulated":false}', b'"seq":%d,"simulated":true}')


def write(file: Path, signed: Checkpoint, leaves: Iterable[str]) -> None:
    """Write an export, whole or not at all; beside it `<file>.checkpoint.json`, which the auditor takes from the witness."""
    part = file.with_name(file.name + ".part")
    with part.open("wb") as raw:
        out = cast(BinaryIO, gzip.GzipFile("", "wb", 6, raw)) if file.suffix == ".gz" else raw
        out.write(_head_line(signed))
        for leaf in leaves:
            out.write(leaf.encode() + b"\n")
        if out is not raw:
            out.close()
    part.replace(file)
    beside = file.with_name(file.name + ".checkpoint.json")
    beside.write_text(json.dumps(signed.told()) + "\n", encoding="utf-8")


def verify(file: Path, checkpoint_file: Path | None = None, public_key: bytes | None = None) -> dict[str, Any]:
    """Check an export, or a saved inclusion or consistency proof, by what it is. Raises CheckFailed, Misuse.

    An export holds exactly the entries that the checkpoint in its first line signs: no edit, no other order, none
    missing, none added. Against `checkpoint_file`, as the witness kept it, a ledger that was shortened or rewritten
    and signed anew is found out as well. `public_key` (raw Ed25519) is the witness's; without it each checkpoint is
    checked by the key it carries. Returns `{"kind", "entries", "checked_to", "root", "at"}`.
    """
    kept = checkpoint.read(checkpoint_file).require_genuine(public_key) if checkpoint_file else None
    document = _proof_in(file)
    if document is not None:
        return _verify_proof(document, kept, public_key)
    with _opened(file) as (signed, entries):
        signed.require_genuine(public_key)
        size, heads = _heads(entries, {signed.size, kept.size if kept else 0})
    if kept is not None:
        _require_head(kept, size, heads)
    _require_head(signed, size, heads)
    if size > signed.size:
        raise CheckFailed(f"D11: the file holds {size} entries, its checkpoint covers {signed.size}: some were added")
    against = kept or signed
    return {"kind": "ledger", "entries": size, "checked_to": against.size, "root": against.root, "at": against.at}


def prove(file: Path, seq: int) -> dict[str, Any]:
    """Inclusion proof of an entry of an export: `{"leaf", "index", "path", "checkpoint"}`. Raises CheckFailed, Misuse."""
    with _opened(file) as (signed, entries):
        leaves = list(entries)
    if not 0 <= seq < len(leaves):
        raise Misuse(f"the ledger has the entries 0 to {len(leaves) - 1}; there is no entry {seq}")
    path = merkle.inclusion([merkle.leaf_hash(leaf) for leaf in leaves], seq)
    told = {"leaf": leaves[seq].decode(), "index": seq, "path": [step.hex() for step in path]}
    return {**told, "checkpoint": signed.told()}


def extend(earlier: Checkpoint, file: Path) -> dict[str, Any]:
    """Consistency proof from an earlier checkpoint to an export's: `{"earlier", "later", "path"}`.

    Raises CheckFailed when the export ends before the earlier checkpoint does: its tail was cut.
    """
    with _opened(file) as (signed, entries):
        hashes = [merkle.leaf_hash(leaf) for leaf in entries]
    require_reach(earlier, len(hashes))
    path = merkle.consistency(hashes, earlier.size) if earlier.size else []
    return {"earlier": earlier.told(), "later": signed.told(), "path": [step.hex() for step in path]}


def proved(told: Mapping[str, Any], public_key: bytes | None = None) -> bool:
    """Whether an inclusion proof holds: the leaf is in the tree that the checkpoint signs."""
    try:
        signed = Checkpoint.of(told["checkpoint"])
        leaf = merkle.leaf_hash(str(told["leaf"]).encode())
        path = [bytes.fromhex(step) for step in told["path"]]
        head, index = bytes.fromhex(signed.root), int(told["index"])
    except (KeyError, ValueError, TypeError, CheckFailed):
        return False
    return signed.holds(public_key) and merkle.included(leaf, index, signed.size, path, head)


def only_grew(told: Mapping[str, Any], public_key: bytes | None = None) -> bool:
    """Whether a consistency proof holds: the later ledger only added to the earlier one (RFC 6962, 2.1.2)."""
    try:
        earlier, later = Checkpoint.of(told["earlier"]), Checkpoint.of(told["later"])
        path = [bytes.fromhex(step) for step in told["path"]]
        before, after = bytes.fromhex(earlier.root), bytes.fromhex(later.root)
    except (KeyError, ValueError, TypeError, CheckFailed):
        return False
    if not (earlier.holds(public_key) and later.holds(public_key)):
        return False
    if earlier.size == 0:
        return before == merkle.EMPTY and not path
    return merkle.consistent(earlier.size, later.size, before, after, path)


def require_reach(earlier: Checkpoint, size: int) -> None:
    """Raise CheckFailed when a ledger of `size` entries is shorter than what a checkpoint covers."""
    if size < earlier.size:
        raise CheckFailed(f"D11: the checkpoint covers {earlier.size} entries, the ledger ends after {size}")


def _heads(entries: Iterable[bytes], wanted: set[int]) -> tuple[int, dict[int, bytes]]:
    """How many entries there are, and the tree heads at the sizes wanted; entries must be numbered as they stand."""
    tree = merkle.Frontier()
    heads = {0: merkle.EMPTY}
    add, sha256 = tree.add, hashlib.sha256
    plain, simulated = _ENDS
    for index, leaf in enumerate(entries):
        if not leaf.endswith((plain % index, simulated % index)):
            raise CheckFailed(f"D11: entry {index} is missing, out of order or not an entry")
        add(sha256(b"\x00" + leaf).digest())
        if tree.size in wanted:
            heads[tree.size] = tree.head()
    return tree.size, heads


def _require_head(signed: Checkpoint, size: int, heads: Mapping[int, bytes]) -> None:
    if size < signed.size:
        raise CheckFailed(f"D11: the checkpoint covers {signed.size} entries, the file ends after {size}")
    if heads[signed.size].hex() != signed.root:
        raise CheckFailed(f"D11: the first {signed.size} entries are not those the witness signed")


def _verify_proof(document: Mapping[str, Any], kept: Checkpoint | None, public_key: bytes | None) -> dict[str, Any]:
    inclusion = "leaf" in document
    if not (proved(document, public_key) if inclusion else only_grew(document, public_key)):
        raise CheckFailed("D11: the proof does not hold")
    signed = Checkpoint.of(document["checkpoint" if inclusion else "later"])
    if kept is not None and kept != signed:
        raise CheckFailed("D11: the proof holds, but under another checkpoint than the one given")
    told = {"entry": document["index"]} if inclusion else {"from": document["earlier"]["size"]}
    kind = "inclusion proof" if inclusion else "consistency proof"
    return {
        "kind": kind,
        **told,
        "entries": signed.size,
        "checked_to": signed.size,
        "root": signed.root,
        "at": signed.at,
    }


def _proof_in(file: Path) -> dict[str, Any] | None:
    """The proof a file holds, or None when it is something else: an export, as a rule."""
    try:
        with file.open("rb") as raw:
            if raw.read(2) == _GZIP:
                return None
            raw.seek(0)
            if raw.readline(11) == b'{"ledger": ':
                return None
            raw.seek(0)
            told = json.loads(raw.read())
    except FileNotFoundError:
        raise Misuse(f"no such file: {file.name}") from None
    except ValueError:
        return None
    known = isinstance(told, dict) and set(told) in (
        {"leaf", "index", "path", "checkpoint"},
        {"earlier", "later", "path"},
    )
    return told if known else None


@contextmanager
def _opened(file: Path) -> Iterator[tuple[Checkpoint, Iterator[bytes]]]:
    """An export's checkpoint and its entries, read as they are asked for."""
    try:
        with file.open("rb") as raw:
            zipped = raw.read(2) == _GZIP
            raw.seek(0)
            lines = iter(gzip.GzipFile(fileobj=raw)) if zipped else iter(raw)
            yield _head_of(next(lines, b"")), _entries(lines)
    except FileNotFoundError:
        raise Misuse(f"no such file: {file.name}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CheckFailed(f"D11: {file.name} is damaged: its compression does not hold") from None
    except _NoExportError:
        raise CheckFailed(f"D11: {file.name} is not an exported ledger") from None


class _NoExportError(Exception):
    """The first line is not a checkpoint."""


def _head_line(signed: Checkpoint) -> bytes:
    return json.dumps({"ledger": signed.told()}).encode() + b"\n"


def _head_of(line: bytes) -> Checkpoint:
    """The checkpoint in the first line, in its one spelling: a space more is a change."""
    try:
        signed = Checkpoint.of(json.loads(line)["ledger"])
    except (ValueError, KeyError, TypeError, CheckFailed):
        raise _NoExportError from None
    if _head_line(signed) != line:
        raise _NoExportError
    return signed


def _entries(lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        if line[-1:] != b"\n":
            raise CheckFailed("D11: the file ends in the middle of an entry")
        yield line[:-1]
