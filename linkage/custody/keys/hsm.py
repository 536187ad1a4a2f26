"""A hardware security module by PKCS#11: one token per principal, keys made on it that never leave it.

Whoever has a token's PIN can do everything with it, so a sender must not have the recipient's. Hence a key-encryption key
is two objects of one name: an AES-256 key, by which its own store wraps, and an EC pair, whose public half anybody may read and
wrap for. Both are destroyed together. An HSM has no names that wait: a destroyed object is gone at once (D8).
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from linkage import settings
from linkage.custody.keys import receiving
from linkage.custody.keys.protocol import KeyGone, Kind, not_made_yet
from linkage.custody.keys.receiving import ReceivingKey
from linkage.custody.keys.signatures import signed_bytes, verify_with
from linkage.custody.stores import credentials
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused, Misuse

_NONCE = receiving.NONCE_BYTES
_POINT = receiving.POINT_BYTES
_ID = receiving.ID_BYTES
# A DER printable string "edwards25519" (PKCS #11 3.0, 6.3.7).
_EDWARDS25519 = b"\x13\x0cedwards25519"
# A login counts for the whole process: one operation at a time, and logged in for no longer than it takes.
_ONE_AT_A_TIME = threading.RLock()
_initialised_by: dict[str, int] = {}


class Hsm:
    """See KeyService. Needs a token labelled as the principal, and the PINs its credentials name."""

    def __init__(self, principal: str) -> None:
        self.principal = principal
        self._pins = credentials.load(principal).pins
        self._public: dict[str, bytes] = {}

    def make_kek(self, kek: str) -> None:
        """See KeyService. That a name was destroyed before, the register knows, not the token."""
        from pkcs11 import Attribute, KeyType, ObjectClass
        from pkcs11.util.ec import encode_named_curve_parameters

        hidden = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
        with self._session(kek, write=True) as session:
            if not _objects(session, kek, ObjectClass.SECRET_KEY):
                session.generate_key(
                    KeyType.AES, 256, id=secrets.token_bytes(_ID), label=kek, store=True, template=hidden
                )
            if not _objects(session, kek, ObjectClass.PRIVATE_KEY):
                curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
                session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(
                    id=secrets.token_bytes(_ID),
                    label=kek,
                    store=True,
                    public_template={Attribute.PRIVATE: False},
                    private_template=hidden,
                )

    def create_key(self, name: str, kind: Kind) -> None:
        """See KeyService."""
        from pkcs11 import Attribute, KeyType, Mechanism

        hidden = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True}
        with self._session(name, write=True) as session:
            if _objects(session, name):
                return
            if kind == "hmac":
                made_by = Mechanism.GENERIC_SECRET_KEY_GEN
                session.generate_key(
                    KeyType.GENERIC_SECRET, 256, label=name, store=True, mechanism=made_by, template=hidden
                )
                return
            curve = {Attribute.EC_PARAMS: _EDWARDS25519}
            session.create_domain_parameters(KeyType.EC_EDWARDS, curve, local=True).generate_keypair(
                label=name,
                store=True,
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                public_template={Attribute.PRIVATE: False},
                private_template=hidden,
            )

    def wrap(self, kek: str, plaintext: bytes, bound_to: str) -> str:
        """See KeyService. The store's own key is made on the way; a recipient makes its keys before others send."""
        if _token_of(kek, self.principal) == self.principal:
            self.make_kek(kek)
            return self._wrap_own(kek, plaintext, bound_to)
        return self.receiving_key(kek).seal(kek, plaintext, bound_to)

    def unwrap(self, kek: str, wrapped: str, bound_to: str) -> bytes:
        """See KeyService."""
        from pkcs11 import PKCS11Error

        how, _, text = wrapped.partition(":")
        raw = receiving.decoded(kek, text)
        try:
            if how == "aes":
                return self._unwrap_own(kek, raw, bound_to)
            if how == receiving.ECDH:
                return self._unwrap_sent(kek, raw, bound_to)
        except (PKCS11Error, ValueError):
            # The key is there, so this says nothing about it being gone.
            raise CheckFailed(f"what was given was not wrapped under key {kek}") from None
        raise CheckFailed(f"what was given was not wrapped under key {kek}")

    def destroy_key(self, name: str) -> None:
        """See KeyService. The public half goes last: while any part is left, the key counts as existing."""
        from pkcs11 import ObjectClass

        with self._session(name, write=True) as session:
            for part in (ObjectClass.SECRET_KEY, ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
                for found in _objects(session, name, part):
                    found.destroy()
            if _objects(session, name):
                raise CheckFailed(f"key {name} still exists after its destruction (D7)")

    def key_exists(self, name: str) -> bool:
        """See KeyService. Without the token's PIN only its public half can be looked for."""
        known = _token_of(name, self.principal) in self._pins
        with self._session(name, login=known) as session:
            return bool(_objects(session, name))

    def remains(self, name: str) -> str | None:  # noqa: ARG002  (part of the protocol)
        """Nothing: a destroyed object leaves no name behind."""
        return None

    def sign(self, name: str, message: bytes) -> bytes:
        """See KeyService."""
        from pkcs11 import Mechanism, ObjectClass

        with self._session(name) as session:
            [key] = _only(session, name, ObjectClass.PRIVATE_KEY)
            return bytes(key.sign(signed_bytes(message), mechanism=Mechanism.EDDSA))

    def public_key(self, name: str) -> bytes:
        """See KeyService. Anybody may read it; kept for the process, for signing keys are not rotated in place."""
        from pkcs11 import Attribute, ObjectClass

        if name not in self._public:
            with self._session(name, login=False) as session:
                [key] = _only(session, name, ObjectClass.PUBLIC_KEY)
                # A DER octet string around the 32 bytes (PKCS #11 3.0, 6.3.5).
                self._public[name] = bytes(key[Attribute.EC_POINT])[-32:]
        return self._public[name]

    def verify(self, name: str, message: bytes, signature: bytes) -> bool:
        """See KeyService. Checked here, so that the token need not be trusted for it."""
        return verify_with(self.public_key(name), message, signature)

    def hmac(self, name: str, message: bytes) -> bytes:
        """See KeyService."""
        from pkcs11 import Mechanism, ObjectClass

        with self._session(name) as session:
            [key] = _only(session, name, ObjectClass.SECRET_KEY)
            return bytes(key.sign(message, mechanism=Mechanism.SHA256_HMAC))

    def _wrap_own(self, kek: str, plaintext: bytes, bound_to: str) -> str:
        """AES-256-GCM on the token: object id, nonce, ciphertext, tag."""
        from pkcs11 import Attribute, GCMParams, Mechanism, ObjectClass

        nonce = secrets.token_bytes(_NONCE)
        with self._session(kek) as session:
            key = _objects(session, kek, ObjectClass.SECRET_KEY)[0]
            how = GCMParams(nonce, bound_to.encode(), 128)
            sealed = key.encrypt(plaintext, mechanism=Mechanism.AES_GCM, mechanism_param=how)
            return receiving.encoded("aes", bytes(key[Attribute.ID]) + nonce + sealed)

    def _unwrap_own(self, kek: str, raw: bytes, bound_to: str) -> bytes:
        from pkcs11 import GCMParams, Mechanism, ObjectClass

        nonce, sealed = raw[_ID : _ID + _NONCE], raw[_ID + _NONCE :]
        with self._session(kek) as session:
            [key] = _only(session, kek, ObjectClass.SECRET_KEY, raw[:_ID])
            how = GCMParams(nonce, bound_to.encode(), 128)
            return bytes(key.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=how))

    def receiving_key(self, kek: str) -> ReceivingKey:
        """See KeyService. The public half, which anybody may read."""
        from pkcs11 import Attribute, ObjectClass

        with self._session(kek, login=False) as session:
            found = _objects(session, kek, ObjectClass.PUBLIC_KEY)
            if not found:
                raise not_made_yet(kek)
            which, point = bytes(found[0][Attribute.ID]), bytes(found[0][Attribute.EC_POINT])[-_POINT:]
        return ReceivingKey("p256-ecdh", which + point)

    def _unwrap_sent(self, kek: str, raw: bytes, bound_to: str) -> bytes:
        """The token does the ECDH: its private half never leaves it; what comes out opens this one message."""
        from pkcs11 import KDF, Attribute, KeyType, ObjectClass

        theirs, sealed = raw[_ID : _ID + _POINT], raw[_ID + _POINT :]
        with self._session(kek) as session:
            [key] = _only(session, kek, ObjectClass.PRIVATE_KEY, raw[:_ID])
            shared = key.derive_key(
                KeyType.GENERIC_SECRET,
                256,
                mechanism_param=(KDF.NULL, None, theirs),
                store=False,
                template={Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True},
            )
            agreed = bytes(shared[Attribute.VALUE])
        return receiving.open_with(receiving.agreed_key(agreed, kek, theirs), sealed, bound_to)

    @contextmanager
    def _session(self, name: str, *, login: bool = True, write: bool = False) -> Iterator[Any]:
        """A session at the token where the key `name` lives, for one operation."""
        from pkcs11 import NoSuchToken, PinIncorrect, PinLocked, PKCS11Error

        label = _token_of(name, self.principal)
        if login and label not in self._pins:
            raise FlowRefused("N11", f"'{self.principal}' has no right to do that with key {name}")
        with _ONE_AT_A_TIME:
            try:
                token = _module().get_token(token_label=label)
                session = token.open(user_pin=self._pins[label] if login else None, rw=write)
            except (PinIncorrect, PinLocked):
                raise FlowRefused("N11", f"'{self.principal}' has no right to do that with key {name}") from None
            except (NoSuchToken, PKCS11Error):
                raise DependencyUnreachable(
                    f"the token of key {name} cannot be reached; nothing was lost, run again"
                ) from None
            with session:
                yield session


def _token_of(name: str, principal: str) -> str:
    """Label of the token a key lives on: the store of a key-encryption key, the principal that signs, else one's own."""
    if name.startswith("sign-"):
        return name.removeprefix("sign-")
    return name.split(".", 1)[0] if "." in name else principal


def _module() -> Any:
    """The PKCS#11 library, initialised in this process: after a fork a child must do that again."""
    import pkcs11

    path = settings.load().pkcs11_module
    if not path:
        raise Misuse("LINKAGE_PKCS11_MODULE names no PKCS#11 library")
    module = pkcs11.lib(path)
    if _initialised_by.setdefault(path, os.getpid()) != os.getpid():
        module.reinitialize()
        _initialised_by[path] = os.getpid()
    return module


def _objects(session: Any, name: str, part: Any = None, which: bytes | None = None) -> list[Any]:
    from pkcs11 import Attribute

    wanted = {Attribute.LABEL: name, Attribute.CLASS: part, Attribute.ID: which}
    return list(session.get_objects({key: value for key, value in wanted.items() if value is not None}))


def _only(session: Any, name: str, part: Any, which: bytes | None = None) -> list[Any]:
    """The first object that fits, in a list of one. Raises KeyGone when there is none."""
    found = _objects(session, name, part, which)
    if not found:
        raise KeyGone(f"key {name} is gone, or what was given was not wrapped under it")
    return found[:1]
