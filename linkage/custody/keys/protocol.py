"""What custody asks of a key service, and what it answers when a key is gone."""

from __future__ import annotations

from typing import Literal, Protocol

from linkage.custody.keys.receiving import ReceivingKey
from linkage.errors import CheckFailed, DependencyUnreachable

Kind = Literal["ed25519", "hmac"]


class KeyGone(CheckFailed):
    """The named key does not exist (any more), or what was given was not wrapped under it."""


class KeyService(Protocol):
    """One principal's key service. Names are key names; `bound_to` is authenticated additional data.

    Key-encryption keys are called `<store>.<yyyymmdd>`, signing keys `sign-<principal>`. Every method raises
    FlowRefused (N11) for what the principal may not do, and DependencyUnreachable when the service does not answer.
    """

    principal: str

    def make_kek(self, kek: str) -> None:
        """Make a key-encryption key of one's own unless it is there. KeyGone when it was destroyed before."""

    def create_key(self, name: str, kind: Kind) -> None:
        """Make a signing or HMAC key of one's own unless it is there; it can never be exported."""

    def wrap(self, kek: str, plaintext: bytes, bound_to: str) -> str:
        """Encrypt under `kek`, one's own or a recipient's. A sender who may wrap may still not unwrap."""

    def receiving_key(self, kek: str) -> ReceivingKey:
        """The public half of a key-encryption key of one's own, made with it: who has it seals without this service.

        What is sealed by it opens by `unwrap`, and goes with the key. Misuse where the service cannot do that.
        """

    def unwrap(self, kek: str, wrapped: str, bound_to: str) -> bytes:
        """Decrypt what was wrapped under `kek`; KeyGone when that key is gone."""

    def destroy_key(self, name: str) -> None:
        """Destroy the key now, not later (D8), and see that it is gone. Idempotent."""

    def key_exists(self, name: str) -> bool:
        """Whether anything could still be opened, or made able to be opened, with that key."""

    def remains(self, name: str) -> str | None:
        """What the service still shows of a destroyed key, as an English clause for the certificate (D9); None: nothing."""

    def sign(self, name: str, message: bytes) -> bytes:
        """Ed25519 signature over `signatures.signed_bytes(message)`, 64 bytes."""

    def public_key(self, name: str) -> bytes:
        """Raw Ed25519 public key, 32 bytes."""

    def verify(self, name: str, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is that key's over `message`."""

    def hmac(self, name: str, message: bytes) -> bytes:
        """HMAC-SHA-256 under a key that never leaves the service, 32 bytes; at most 4096 bytes of message."""


def not_made_yet(kek: str) -> DependencyUnreachable:
    """The recipient has to make its key before others can send: nothing was lost, run again."""
    return DependencyUnreachable(
        f"{kek.split('.', 1)[0]} has not made its key {kek} yet (`linkage keys prepare` there); run again after it"
    )
