"""Doubles of the object store and the key service, in memory. The tests that use them also run on the real servers."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from linkage.custody.keys import KeyGone, ReceivingKey, receiving, signed_bytes, verify_with
from linkage.custody.stores.objects import Purged, Version
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused


@dataclass
class Stored:
    """A version of an object."""

    version: Version
    body: bytes


@dataclass
class World:
    """Everything the doubles remember, and the ways a test can harm them."""

    keks: dict[str, AESGCM] = field(default_factory=dict)
    pairs: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    signing: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    buckets: dict[str, list[Stored]] = field(default_factory=dict)
    pending: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    deaf_to_deletion: bool = False
    keeps_keys: bool = False

    def copy(self) -> World:
        """A world with the same keys and objects; what happens in one does not happen in the other."""
        return replace(
            self,
            keks=dict(self.keks),
            pairs=dict(self.pairs),
            signing=dict(self.signing),
            buckets={name: [replace(one) for one in stored] for name, stored in self.buckets.items()},
            pending={name: list(uploads) for name, uploads in self.pending.items()},
            down=set(self.down),
        )

    def keys(self, principal: str) -> Keys:
        """The key service as a principal."""
        return Keys(self, principal)

    def objects(self, principal: str, place: str = "primary") -> Objects:
        """The object store (or a replica of it) as a principal."""
        return Objects(self, principal, place)


class Keys:
    """See linkage.custody.keys.KeyService."""

    def __init__(self, world: World, principal: str) -> None:
        self.world, self.principal = world, principal

    def make_kek(self, kek: str) -> None:
        pass

    def create_key(self, name: str, kind: str) -> None:
        pass

    def remains(self, name: str) -> str | None:
        return None

    def wrap(self, kek: str, plaintext: bytes, bound_to: str) -> str:
        self._up()
        key = self.world.keks.setdefault(kek, AESGCM(AESGCM.generate_key(256)))
        nonce = secrets.token_bytes(12)
        return (nonce + key.encrypt(nonce, plaintext, bound_to.encode())).hex()

    def receiving_key(self, kek: str) -> ReceivingKey:
        self._up()
        pair = self.world.pairs.setdefault(kek, ec.generate_private_key(ec.SECP256R1()))
        point = pair.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return ReceivingKey("p256-ecdh", bytes(16) + point)

    def unwrap(self, kek: str, wrapped: str, bound_to: str) -> bytes:
        self._up()
        if not self._own(kek):
            raise FlowRefused("N11", f"'{self.principal}' has no right to do that with key {kek}")
        if wrapped.startswith("ecdh:") and kek in self.world.pairs:
            raw = receiving.decoded(kek, wrapped.partition(":")[2])[16:]
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw[:65])
            shared = self.world.pairs[kek].exchange(ec.ECDH(), point)
            return receiving.open_with(receiving.agreed_key(shared, kek, raw[:65]), raw[65:], bound_to)
        if kek not in self.world.keks:
            raise KeyGone(kek)
        raw = bytes.fromhex(wrapped)
        return self.world.keks[kek].decrypt(raw[:12], raw[12:], bound_to.encode())

    def destroy_key(self, name: str) -> None:
        self._up()
        if self.world.keeps_keys:
            return
        self.world.keks.pop(name, None)
        self.world.pairs.pop(name, None)

    def key_exists(self, name: str) -> bool:
        self._up()
        return name in self.world.keks or name in self.world.pairs

    def sign(self, name: str, message: bytes) -> bytes:
        self._up()
        if name != f"sign-{self.principal}":
            raise FlowRefused("N11", f"'{self.principal}' has no right to do that with key {name}")
        return self.world.signing.setdefault(name, Ed25519PrivateKey.generate()).sign(signed_bytes(message))

    def public_key(self, name: str) -> bytes:
        return self.world.signing.setdefault(name, Ed25519PrivateKey.generate()).public_key().public_bytes_raw()

    def verify(self, name: str, message: bytes, signature: bytes) -> bool:
        return verify_with(self.public_key(name), message, signature)

    def hmac(self, name: str, message: bytes) -> bytes:
        return hmac.digest(name.encode(), message, hashlib.sha256)

    def _own(self, kek: str) -> bool:
        store = kek.split(".")[0]
        return self.principal in (store, f"verifier-{store.split('-')[0]}")

    def _up(self) -> None:
        if "keys" in self.world.down:
            raise DependencyUnreachable("the key service cannot be reached")


class Objects:
    """See linkage.custody.stores.objects.ObjectStore."""

    def __init__(self, world: World, principal: str, place: str) -> None:
        self.world, self.principal, self.place = world, principal, place

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self._up()
        version = Version(key, secrets.token_hex(8), False, len(body), datetime.now(UTC))
        self.world.buckets.setdefault(self._at(bucket), []).append(Stored(version, bytes(body)))

    def get(self, bucket: str, key: str, version_id: str | None = None) -> bytes:
        self._up()
        if self.principal.startswith("verifier-"):
            raise FlowRefused("N11", "a verifier reads nothing")
        for stored in reversed(self.world.buckets.get(self._at(bucket), [])):
            if stored.version.key == key and version_id in (None, stored.version.version_id):
                return stored.body
        raise CheckFailed(f"the object store refused a request in {bucket}: NoSuchKey")

    def versions(self, bucket: str, prefix: str = "") -> list[Version]:
        self._up()
        return [
            one.version for one in self.world.buckets.get(self._at(bucket), []) if one.version.key.startswith(prefix)
        ]

    def uploads(self, bucket: str, prefix: str = "") -> list[tuple[str, str]]:
        return [one for one in self.world.pending.get(self._at(bucket), []) if one[0].startswith(prefix)]

    def copies(self, bucket: str, prefix: str) -> int:
        return self.inventory(bucket, prefix).all

    def inventory(self, bucket: str, prefix: str, listed: list[Version] | None = None) -> Purged:  # noqa: ARG002
        found = self.versions(bucket, prefix)
        markers = sum(one.marker for one in found)
        return Purged(len(found) - markers, markers, len(self.uploads(bucket, prefix)))

    def purge(self, bucket: str, prefix: str, listed: Sequence[Version] = ()) -> Purged:  # noqa: ARG002
        self._up()
        found, uploads = self.versions(bucket, prefix), self.uploads(bucket, prefix)
        if not self.world.deaf_to_deletion:
            kept = [
                one for one in self.world.buckets.get(self._at(bucket), []) if not one.version.key.startswith(prefix)
            ]
            self.world.buckets[self._at(bucket)] = kept
            self.world.pending[self._at(bucket)] = [
                one for one in self.world.pending.get(self._at(bucket), []) if one not in uploads
            ]
        markers = sum(one.marker for one in found)
        return Purged(len(found) - markers, markers, len(uploads))

    def _at(self, bucket: str) -> str:
        """The buckets of the primary store go by their names, those of a replica by its name and theirs."""
        return bucket if self.place == "primary" else f"{self.place}/{bucket}"

    def _up(self) -> None:
        if self.world.down & {"objects", self.place}:
            raise DependencyUnreachable("the object store cannot be reached")


def unsafe_but_quick(connection, _record) -> None:
    """A register on SQLite that need not survive a power cut."""
    connection.execute("PRAGMA synchronous=OFF")
