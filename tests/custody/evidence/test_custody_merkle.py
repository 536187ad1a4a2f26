"""The Merkle tree of RFC 6962 (D11)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.custody.evidence import merkle

# The reference implementation's published vectors (certificate-transparency, merkle tree tests).
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = [hashlib.sha256(str(number).encode()).digest() for number in range(70)]


def test_the_published_vectors_come_out() -> None:
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
    assert [head.hex() for head in merkle.roots(leaves)] == ROOTS
    assert merkle.root(leaves).hex() == ROOTS[-1]
    assert merkle.root([]) == hashlib.sha256(b"").digest()


@given(st.integers(1, 70).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_every_leaf_is_proved_and_no_other(case: tuple[int, int]) -> None:
    size, index = case
    leaves = HASHES[:size]
    path, head = merkle.inclusion(leaves, index), merkle.root(leaves)
    assert merkle.included(leaves[index], index, size, path, head)
    assert not merkle.included(hashlib.sha256(b"other").digest(), index, size, path, head)
    assert not merkle.included(leaves[index], index, size, [*path, head], head)


@given(st.integers(1, 70).flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size))))
def test_a_log_that_only_grew_is_consistent_and_a_rewritten_one_is_not(case: tuple[int, int]) -> None:
    size, earlier = case
    leaves = HASHES[:size]
    proof = merkle.consistency(leaves, earlier)
    before, after = merkle.root(leaves[:earlier]), merkle.root(leaves)
    assert merkle.consistent(earlier, size, before, after, proof)
    rewritten = [hashlib.sha256(b"rewritten").digest(), *leaves[1:]]
    assert not merkle.consistent(earlier, size, merkle.root(rewritten[:earlier]), after, proof)


def test_a_consistency_proof_outside_the_log_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        merkle.consistency(HASHES[:3], 4)
