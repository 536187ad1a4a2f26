"""Parts of a holding: bound to it, to their place and to their number (N11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.custody import cipher
from linkage.errors import CheckFailed


@given(st.binary(max_size=500), st.integers(1, 64))
def test_what_was_sealed_opens_again_whatever_its_size(data: bytes, part_bytes: int) -> None:
    key = cipher.new_key()
    parts = cipher.seal(key, "hld_a", data, part_bytes)
    assert cipher.unseal(key, "hld_a", parts) == data
    assert all(len(part) <= part_bytes + 28 for part in parts)


def _parts() -> tuple[bytes, list[bytes]]:
    key = cipher.new_key()
    return key, cipher.seal(key, "hld_a", b"x" * 100, 40)


@pytest.mark.parametrize(
    "harm",
    [
        lambda parts: [parts[1], parts[0], parts[2]],
        lambda parts: parts[:2],
        lambda parts: [*parts, parts[2]],
        lambda parts: [parts[0][:-1], *parts[1:]],
        lambda parts: [b"", *parts[1:]],
        lambda parts: [bytes([parts[0][0] ^ 1]) + parts[0][1:], *parts[1:]],
    ],
    ids=["swapped", "dropped", "doubled", "truncated", "emptied", "flipped"],
)
def test_a_harmed_part_does_not_open(harm) -> None:
    """N11."""
    key, parts = _parts()
    with pytest.raises(CheckFailed, match="hld_a: part"):
        cipher.unseal(key, "hld_a", harm(parts))


def test_a_part_put_under_another_holding_does_not_open() -> None:
    key, parts = _parts()
    with pytest.raises(CheckFailed):
        cipher.unseal(key, "hld_b", parts)


def test_the_same_content_never_looks_the_same_twice() -> None:
    key = cipher.new_key()
    assert cipher.seal(key, "hld_a", b"same") != cipher.seal(key, "hld_a", b"same")
