"""Ed25519 signatures as every key service makes them, and their verification without any service (RFC 8032)."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LONGEST = 4096
"""Bytes a key service signs as they are: AWS KMS takes no more (`Sign`, MessageType RAW)."""
_DIGEST = b"linkage-sha512:"


def signed_bytes(message: bytes) -> bytes:
    """What is signed for a message: itself up to 4096 bytes, else `linkage-sha512:` and its SHA-512 digest.

    Which of the two follows from the length alone, so no signature holds for two messages.
    """
    return message if len(message) <= LONGEST else _DIGEST + hashlib.sha512(message).digest()


def verify_with(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a raw Ed25519 public key signed the message, by `signed_bytes`; needs no service."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed_bytes(message))
    except (InvalidSignature, ValueError):
        return False
    return True
