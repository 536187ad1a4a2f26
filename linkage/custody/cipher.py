"""AES-256-GCM over parts of at most 64 MiB; each part is bound to its holding, its place and the number of parts."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from linkage.errors import CheckFailed

PART_BYTES = 64 * 1024 * 1024
SCHEMA = 1
_NONCE = 12


def new_key() -> bytes:
    """A fresh 256-bit data key; one per holding, never used for another."""
    return AESGCM.generate_key(bit_length=256)


def seal(key: bytes, holding_id: str, data: bytes, part_bytes: int = PART_BYTES) -> list[bytes]:
    """Encrypt `data` into parts of at most `part_bytes` plaintext bytes: 12-byte random nonce, ciphertext, tag.

    The additional data is holding, part number from 1, number of parts and schema version, so a part that is
    swapped, dropped, truncated or put under another holding does not open (NIST SP 800-38D).
    """
    view = memoryview(data)
    of = max(1, -(-len(view) // part_bytes))
    cipher = AESGCM(key)
    sealed = []
    for part in range(1, of + 1):
        nonce = secrets.token_bytes(_NONCE)
        piece = view[(part - 1) * part_bytes : part * part_bytes]
        sealed.append(nonce + cipher.encrypt(nonce, piece, _bound_to(holding_id, part, of)))
    return sealed


def unseal(key: bytes, holding_id: str, parts: Sequence[bytes]) -> bytes:
    """Decrypt all parts of a holding, in order. Raises CheckFailed when any of them is not what was sealed there."""
    cipher = AESGCM(key)
    of = len(parts)
    pieces = []
    for part, sealed in enumerate(parts, start=1):
        try:
            pieces.append(cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound_to(holding_id, part, of)))
        except (InvalidTag, ValueError):
            raise CheckFailed(f"{holding_id}: part {part} of {of} is not what was sealed there (N11)") from None
    return pieces[0] if of == 1 else b"".join(pieces)


def _bound_to(holding_id: str, part: int, of: int) -> bytes:
    return f"linkage|{SCHEMA}|{holding_id}|{part}|{of}".encode()
