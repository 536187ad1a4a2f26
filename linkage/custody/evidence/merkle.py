"""RFC 6962 Merkle trees: heads, inclusion and consistency proofs, and their checks.

A proof is described by *ranges* of leaves, so that the same definition serves a list in memory and a table that keeps
the hashes of complete subtrees.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

EMPTY = hashlib.sha256(b"").digest()
Range = tuple[int, int]
Place = tuple[int, int]


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a leaf: SHA-256 of 0x00 and the leaf (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256 of 0x01 and its children (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A growing tree by its peaks alone: the complete subtrees it consists of, largest first. 32 bytes for each."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != size.bit_count():
            raise ValueError("a tree has one peak for each bit of its size")
        self.size = size
        self._peaks = list(peaks)

    def add(self, leaf: bytes) -> list[bytes]:
        """Append a leaf hash; returns the heads of the complete subtrees that it closes, smallest (two leaves) first."""
        closed: list[bytes] = []
        node, rest = leaf, self.size
        while rest & 1:
            node = hashlib.sha256(b"\x01" + self._peaks.pop() + node).digest()
            closed.append(node)
            rest >>= 1
        self._peaks.append(node)
        self.size += 1
        return closed

    def head(self) -> bytes:
        """The tree head."""
        return fold(self._peaks)


def fold(peaks: Sequence[bytes]) -> bytes:
    """The head over complete subtrees that lie side by side, largest first."""
    if not peaks:
        return EMPTY
    head = peaks[-1]
    for peak in reversed(peaks[:-1]):
        head = node_hash(peak, head)
    return head


def root(leaves: Iterable[bytes]) -> bytes:
    """Tree head of these leaf hashes."""
    tree = Frontier()
    for leaf in leaves:
        tree.add(leaf)
    return tree.head()


def roots(leaves: Iterable[bytes]) -> Iterator[bytes]:
    """Tree heads of sizes 1, 2, 3 and so on, each in logarithmic time."""
    tree = Frontier()
    for leaf in leaves:
        tree.add(leaf)
        yield tree.head()


def complete(start: int, end: int) -> list[Place]:
    """The complete subtrees of the leaves `start` to before `end`, left to right, each as (level, place).

    A subtree of level l and place p spans the leaves p * 2^l to before (p + 1) * 2^l. `start` must be a multiple of
    the largest power of two not above the range's length, as it is in every range of a proof.
    """
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges of leaves whose heads are the audit path of the leaf at `index`, from the leaf up (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError("the entry lies outside the log")
    found: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(earlier: int, size: int) -> list[Range]:
    """The ranges whose heads prove that the first `earlier` of `size` leaves were only added to (RFC 6962, 2.1.2)."""
    if not 0 < earlier <= size:
        raise ValueError("the earlier size lies outside the log")
    found: list[Range] = []
    start, end, whole = 0, size, True
    while end > earlier:
        middle = start + _split(end - start)
        if earlier <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start, whole = middle, False
    if not whole:
        found.append((start, end))
    return found[::-1]


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Audit path of the leaf at `index` (from 0). Raises ValueError outside the log."""
    return [root(leaves[start:end]) for start, end in inclusion_ranges(index, len(leaves))]


def consistency(leaves: Sequence[bytes], earlier: int) -> list[bytes]:
    """Proof that the tree of the first `earlier` leaves is a prefix of this one. Raises ValueError outside the log."""
    return [root(leaves[start:end]) for start, end in consistency_ranges(earlier, len(leaves))]


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


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)
