"""AES-256-GCM over parts of at most 64 MiB; each part is bound to its holding, its place and the number of parts."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from linkage.errors import CheckFailed

PART_BYTES = 64 * 1024 * 1024
SCHEMA = 1
_NONCE = 12
_TAG = 16
OVERHEAD = _NONCE + _TAG
"""Bytes a sealed part is longer than what it holds."""

Buffer = bytes | bytearray | memoryview


def new_key() -> bytes:
    """A fresh 256-bit data key; one per holding, never used for another."""
    return AESGCM.generate_key(bit_length=256)


def number_of_parts(size: int, part_bytes: int = PART_BYTES) -> int:
    """How many parts `size` bytes of content make: at least one."""
    return max(1, -(-size // part_bytes))


def sealed_parts(key: bytes, holding_id: str, pieces: Iterable[Buffer], of: int) -> Iterator[bytearray]:
    """Encrypt `of` pieces of content, one at a time: 12-byte random nonce, ciphertext, 16-byte tag.

    Each part is given in the SAME buffer, to be written away before the next is asked for: memory stays at one part,
    and the speed is the cipher's, not that of fresh memory. The additional data is holding, part number from 1, number
    of parts and schema version, so a part that is swapped, dropped, truncated or put under another holding does not
    open (NIST SP 800-38D). Raises CheckFailed when there are not exactly `of` pieces.
    """
    cipher, part, out = AESGCM(key), 0, bytearray()
    for part, piece in enumerate(pieces, start=1):
        if part > of:
            raise CheckFailed(f"{holding_id}: more content than its {of} parts hold")
        out = _sized(out, len(piece) + OVERHEAD)
        nonce = secrets.token_bytes(_NONCE)
        with memoryview(out) as view:
            view[:_NONCE] = nonce
            cipher.encrypt_into(nonce, piece, _bound_to(holding_id, part, of), view[_NONCE:])
        yield out
    if part != of:
        raise CheckFailed(f"{holding_id}: its content ended after part {part} of {of}")


def opened_parts(key: bytes, holding_id: str, parts: Iterable[Buffer], of: int) -> Iterator[bytearray]:
    """Decrypt the `of` parts of a holding, in order and one at a time, each into the SAME buffer (as `sealed_parts`).

    Raises CheckFailed when any of them is not what was sealed there, or when they are not `of`.
    """
    cipher, part, out = AESGCM(key), 0, bytearray()
    for part, sealed in enumerate(parts, start=1):
        out = _sized(out, max(0, len(sealed) - OVERHEAD))
        _open(cipher, holding_id, part, of, sealed, out)
        yield out
    if part != of:
        raise CheckFailed(f"{holding_id}: {part} parts came where {of} were sealed (N11)")


def pieces_of(data: Buffer, part_bytes: int = PART_BYTES) -> Iterator[memoryview]:
    """Content in memory, cut into the pieces its parts hold, without copying it."""
    view = memoryview(data)
    for part in range(number_of_parts(len(view), part_bytes)):
        yield view[part * part_bytes : (part + 1) * part_bytes]


def seal(key: bytes, holding_id: str, data: Buffer, part_bytes: int = PART_BYTES) -> list[bytes]:
    """All parts of content that is in memory, as `sealed_parts` makes them."""
    of = number_of_parts(len(data), part_bytes)
    return [bytes(part) for part in sealed_parts(key, holding_id, pieces_of(data, part_bytes), of)]


def unseal(key: bytes, holding_id: str, parts: Sequence[Buffer]) -> bytes:
    """Decrypt all parts of a holding, in order. Raises CheckFailed when any of them is not what was sealed there."""
    cipher, of = AESGCM(key), len(parts)
    if of == 1:
        return _opened(cipher, holding_id, parts[0])
    whole, place = bytearray(sum(max(0, len(sealed) - OVERHEAD) for sealed in parts)), 0
    with memoryview(whole) as view:
        for part, sealed in enumerate(parts, start=1):
            end = place + max(0, len(sealed) - OVERHEAD)
            _open(cipher, holding_id, part, of, sealed, view[place:end])
            place = end
    return bytes(whole)


def _opened(cipher: AESGCM, holding_id: str, sealed: Buffer) -> bytes:
    view = memoryview(sealed)
    try:
        return cipher.decrypt(view[:_NONCE], view[_NONCE:], _bound_to(holding_id, 1, 1))
    except (InvalidTag, ValueError):
        raise _altered(holding_id, 1, 1) from None


def _open(cipher: AESGCM, holding_id: str, part: int, of: int, sealed: Buffer, out: bytearray | memoryview) -> None:
    view = memoryview(sealed)
    try:
        cipher.decrypt_into(view[:_NONCE], view[_NONCE:], _bound_to(holding_id, part, of), out)
    except (InvalidTag, ValueError):
        raise _altered(holding_id, part, of) from None


def _altered(holding_id: str, part: int, of: int) -> CheckFailed:
    return CheckFailed(f"{holding_id}: part {part} of {of} is not what was sealed there (N11)")


def _sized(out: bytearray, size: int) -> bytearray:
    """The same buffer where it fits: its memory is already there, and what is fresh costs more than the cipher."""
    return out if len(out) == size else bytearray(size)


def _bound_to(holding_id: str, part: int, of: int) -> bytes:
    return f"linkage|{SCHEMA}|{holding_id}|{part}|{of}".encode()
