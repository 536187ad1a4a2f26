"""Ed25519 public keys as auditors keep them: PEM files, or the raw 32 bytes in base64."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from linkage.errors import Misuse


def read(told: str | None) -> bytes | None:
    """The raw key from a file (PEM, base64 or raw) or from base64 itself; None for None. Raises Misuse."""
    if told is None:
        return None
    file = Path(told)
    return _parsed(file.read_bytes() if file.is_file() else told.encode())


def pem(raw: bytes) -> str:
    """A raw key as PEM (SubjectPublicKeyInfo), which OpenSSL reads as well."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PublicKey.from_public_bytes(raw)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _parsed(told: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if len(told) == 32:
        return told
    try:
        if told.lstrip().startswith(b"-----BEGIN"):
            key = load_pem_public_key(told)
            if isinstance(key, Ed25519PublicKey):
                return key.public_bytes_raw()
        elif len(raw := base64.b64decode(told.strip(), validate=True)) == 32:
            return raw
    except (ValueError, binascii.Error):
        pass
    raise Misuse("the public key is neither PEM nor base64 of an Ed25519 key, nor a file that holds one")
