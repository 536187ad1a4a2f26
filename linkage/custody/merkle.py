"""RFC 6962 Merkle tree hashes over a list of leaf hashes: roots, inclusion and consistency proofs, and their checks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a leaf: SHA-256 of 0x00 and the leaf (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256 of 0x01 and its children (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Tree head of these leaf hashes."""
    peaks: list[tuple[int, bytes]] = []
    for leaf in leaves:
        _grow(peaks, leaf)
    return _head(peaks)


def roots(leaves: Sequence[bytes]) -> Iterator[bytes]:
    """Tree heads of sizes 1, 2, 3 and so on, each in logarithmic time."""
    peaks: list[tuple[int, bytes]] = []
    for leaf in leaves:
        _grow(peaks, leaf)
        yield _head(peaks)


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Audit path of the leaf at `index` (from 0) (RFC 6962, 2.1.1)."""
    size = len(leaves)
    if size <= 1:
        return []
    split = _split(size)
    if index < split:
        return [*inclusion(leaves[:split], index), root(leaves[split:])]
    return [*inclusion(leaves[split:], index - split), root(leaves[:split])]


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], head: bytes) -> bool:
    """Whether the audit path leads from the leaf hash to the tree head (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, told = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            told = node_hash(step, told)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            told = node_hash(told, step)
        node, last = node >> 1, last >> 1
    return last == 0 and told == head


def consistency(leaves: Sequence[bytes], earlier: int) -> list[bytes]:
    """Proof that the tree of the first `earlier` leaves is a prefix of this one (RFC 6962, 2.1.2)."""
    if not 0 < earlier <= len(leaves):
        raise ValueError("the earlier size lies outside the log")
    return _subproof(leaves, earlier, True)


def consistent(earlier: int, size: int, before: bytes, after: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the log of `size` only appended to the log of `earlier` (RFC 9162, 2.1.4.2)."""
    if earlier == size:
        return before == after and not proof
    if not 0 < earlier < size or not proof:
        return False
    steps = list(proof) if earlier & (earlier - 1) else [before, *proof]
    node, last = earlier - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, step)
        node, last = node >> 1, last >> 1
    return old == before and new == after and last == 0


def _subproof(leaves: Sequence[bytes], earlier: int, whole: bool) -> list[bytes]:
    size = len(leaves)
    if earlier == size:
        return [] if whole else [root(leaves)]
    split = _split(size)
    if earlier <= split:
        return [*_subproof(leaves[:split], earlier, whole), root(leaves[split:])]
    return [*_subproof(leaves[split:], earlier - split, False), root(leaves[:split])]


def _grow(peaks: list[tuple[int, bytes]], leaf: bytes) -> None:
    """Add a leaf to the complete subtrees (size, hash) that a log consists of, largest first."""
    size, node = 1, leaf
    while peaks and peaks[-1][0] == size:
        node = node_hash(peaks.pop()[1], node)
        size *= 2
    peaks.append((size, node))


def _head(peaks: Sequence[tuple[int, bytes]]) -> bytes:
    if not peaks:
        return EMPTY
    head = peaks[-1][1]
    for _, peak in reversed(peaks[:-1]):
        head = node_hash(peak, head)
    return head


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)
