"""Receiving keys: the public half of a key-encryption key, by which others seal without any key service (N13).

Two kinds, by what a key service can open without letting the private half go:

- `rsa-oaep-sha256` (OpenBao): a fresh AES-256 key under RSA-OAEP (RFC 8017, SHA-256), and the secret under that key;
- `p256-ecdh` (PKCS#11): a fresh key agreed with the recipient's (ECIES as in SP 800-56A), and the secret under HKDF-SHA-256 of it.

In both the secret itself is under AES-256-GCM, whose additional data is what it is bound to: a sealed key that is put under
another holding does not open. Who sealed it is not said here; that is the manifest's signature.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from linkage.errors import CheckFailed

Kind = Literal["rsa-oaep-sha256", "p256-ecdh"]
RSA, ECDH = "rsa", "ecdh"
"""How a sealed key begins, so that its key service knows how to open it."""
RSA_BITS = 3072  # 128 bits of strength (SP 800-57 part 1, table 2)
ID_BYTES = 16
POINT_BYTES = 65
NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class ReceivingKey:
    """The public half: SubjectPublicKeyInfo (DER) for RSA, object id and uncompressed point for P-256."""

    kind: Kind
    public: bytes

    def seal(self, kek: str, plaintext: bytes, bound_to: str) -> str:
        """`plaintext` for whoever has the private half of `kek`. Raises CheckFailed when this is no such key."""
        try:
            if self.kind == "p256-ecdh":
                return _sealed_by_ecdh(self.public, kek, plaintext, bound_to)
            return _sealed_by_rsa(self.public, plaintext, bound_to)
        except (ValueError, TypeError):
            raise CheckFailed(f"the receiving key {kek} is not one that can be sealed for") from None


def open_with(key: bytes, sealed: bytes, bound_to: str) -> bytes:
    """What was sealed under the fresh key: nonce, ciphertext, tag. Raises CheckFailed for anything else."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to.encode())
    except (InvalidTag, ValueError):
        raise CheckFailed("what was given was not sealed for this, or it was altered") from None


def agreed_key(shared: bytes, kek: str, theirs: bytes) -> bytes:
    """The AES-256 key of an ECDH secret and the sender's fresh point."""
    return HKDF(hashes.SHA256(), 32, None, b"linkage wrap|" + kek.encode() + b"|" + theirs).derive(shared)


def oaep() -> padding.OAEP:
    """RSA-OAEP with SHA-256 throughout, as OpenBao's transit engine opens it."""
    return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def encoded(how: str, raw: bytes) -> str:
    """A sealed key as text."""
    return f"{how}:{base64.b64encode(raw).decode('ascii')}"


def decoded(kek: str, text: str) -> bytes:
    """The bytes behind the colon. Raises CheckFailed."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise CheckFailed(f"what was given was not wrapped under key {kek}") from None


def _sealed_by_rsa(public: bytes, plaintext: bytes, bound_to: str) -> str:
    key = load_der_public_key(public)
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < RSA_BITS:
        raise ValueError("no RSA key, or too short a one")
    fresh = AESGCM.generate_key(256)
    return encoded(RSA, key.encrypt(fresh, oaep()) + _under(fresh, plaintext, bound_to))


def _sealed_by_ecdh(public: bytes, kek: str, plaintext: bytes, bound_to: str) -> str:
    which, point = public[:ID_BYTES], public[ID_BYTES:]
    recipient = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    fresh = ec.generate_private_key(ec.SECP256R1())
    ours = fresh.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    key = agreed_key(fresh.exchange(ec.ECDH(), recipient), kek, ours)
    return encoded(ECDH, which + ours + _under(key, plaintext, bound_to))


def _under(key: bytes, plaintext: bytes, bound_to: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound_to.encode())
