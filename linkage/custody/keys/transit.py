"""OpenBao or Vault: the transit engine as one principal, by its token.

A key-encryption key is one AES-256-GCM key, and beside it, once somebody outside must seal for it, an RSA key of the same
name and `.receiving`. Its private half never leaves the server. Both are destroyed together, and exist while either does.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Any

from linkage import settings
from linkage.custody.keys import receiving
from linkage.custody.keys.protocol import KeyGone, Kind
from linkage.custody.keys.receiving import ReceivingKey
from linkage.custody.keys.signatures import signed_bytes, verify_with
from linkage.custody.stores import credentials
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused

_PAIR = ".receiving"


class Transit:
    """See KeyService. The server sees keys, hashes and names of keys, never data of a person."""

    def __init__(self, principal: str) -> None:
        import hvac

        self.principal = principal
        self._client = hvac.Client(
            url=settings.load().keys_url, token=credentials.load(principal).keys_token, timeout=10
        )
        self._public: dict[str, bytes] = {}

    def make_kek(self, kek: str) -> None:
        """Nothing to do: the server itself makes a key with the first wrap under it, whoever wraps."""

    def wrap(self, kek: str, plaintext: bytes, bound_to: str) -> str:
        """See KeyService."""
        told = self._write(f"encrypt/{kek}", plaintext=_b64(plaintext), associated_data=_b64(bound_to.encode()))
        return str(told["data"]["ciphertext"])

    def receiving_key(self, kek: str) -> ReceivingKey:
        """See KeyService. Made at the first call; a principal cannot make one for another store."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

        name = kek + _PAIR
        told = self._read(name)
        if told is None:
            self._write(f"keys/{name}", type=f"rsa-{receiving.RSA_BITS}", exportable=False)
            told = self._read(name)
        if told is None or told["data"]["type"] != f"rsa-{receiving.RSA_BITS}":
            raise CheckFailed(f"the receiving key of {kek} is not one that this system made")
        newest = told["data"]["keys"][str(told["data"]["latest_version"])]
        public = load_pem_public_key(newest["public_key"].encode())
        return ReceivingKey("rsa-oaep-sha256", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def unwrap(self, kek: str, wrapped: str, bound_to: str) -> bytes:
        """See KeyService."""
        how, _, text = wrapped.partition(":")
        if how == receiving.RSA:
            return self._unwrap_received(kek, receiving.decoded(kek, text), bound_to)
        told = self._write(f"decrypt/{kek}", ciphertext=wrapped, associated_data=_b64(bound_to.encode()))
        return base64.b64decode(told["data"]["plaintext"])

    def create_key(self, name: str, kind: Kind) -> None:
        """See KeyService. Signing keys come with the deployment: a principal itself may make none."""
        if self.key_exists(name):
            return
        extra = {"key_size": 32} if kind == "hmac" else {}
        self._write(f"keys/{name}", type=kind, exportable=False, **extra)

    def destroy_key(self, name: str) -> None:
        """See KeyService. A key that is already gone is gone."""
        for part in _parts(name):
            if self._read(part) is not None:
                self._write(f"keys/{part}/config", deletion_allowed=True)
                self._call(partial(self._client.delete, f"transit/keys/{part}"), part)
        if self.key_exists(name):
            raise CheckFailed(f"key {name} still exists after its destruction (D7)")

    def key_exists(self, name: str) -> bool:
        """See KeyService."""
        return any(self._read(part) is not None for part in _parts(name))

    def remains(self, name: str) -> str | None:  # noqa: ARG002  (part of the protocol)
        """Nothing: a deleted transit key leaves no name behind."""
        return None

    def sign(self, name: str, message: bytes) -> bytes:
        """See KeyService."""
        told = self._write(f"sign/{name}", input=_b64(signed_bytes(message)))
        return base64.b64decode(told["data"]["signature"].split(":")[-1])

    def public_key(self, name: str) -> bytes:
        """See KeyService. Kept for the process: signing keys are not rotated in place."""
        if name not in self._public:
            told = self._read(name)
            if told is None:
                raise KeyGone(f"no signing key is called {name}")
            newest = told["data"]["keys"][str(told["data"]["latest_version"])]
            self._public[name] = base64.b64decode(newest["public_key"])
        return self._public[name]

    def verify(self, name: str, message: bytes, signature: bytes) -> bool:
        """See KeyService. Checked here, so that the key service need not be trusted for it."""
        return verify_with(self.public_key(name), message, signature)

    def hmac(self, name: str, message: bytes) -> bytes:
        """See KeyService."""
        told = self._write(f"hmac/{name}", input=_b64(message), algorithm="sha2-256")
        return base64.b64decode(told["data"]["hmac"].split(":")[-1])

    def _unwrap_received(self, kek: str, raw: bytes, bound_to: str) -> bytes:
        """The server opens the RSA part, which holds the fresh key of this one message.

        It answers 500 to what it cannot open, as it does when it is in trouble: what fails twice, while the key can be
        read, was not sealed for it.
        """
        cut, path = receiving.RSA_BITS // 8, f"decrypt/{kek}{_PAIR}"
        body = {"ciphertext": f"vault:v1:{_b64(raw[:cut])}"}
        try:
            told = self._write(path, **body)
        except DependencyUnreachable:
            self._read(kek + _PAIR)
            try:
                told = self._write(path, **body)
            except DependencyUnreachable:
                raise CheckFailed(f"what was given was not sealed for key {kek}") from None
        return receiving.open_with(base64.b64decode(told["data"]["plaintext"]), raw[cut:], bound_to)

    def _write(self, path: str, **body: Any) -> Any:
        return self._call(lambda: self._client.write_data(f"transit/{path}", data=body), path.split("/", 1)[1])

    def _read(self, name: str) -> Any | None:
        return self._call(lambda: self._client.read(f"transit/keys/{name}"), name)

    def _call(self, request: Callable[[], Any], name: str) -> Any:
        """Run a request and turn its failures into ours; the service's messages are not passed on."""
        import requests
        from hvac import exceptions

        try:
            return request()
        except exceptions.Forbidden:
            raise FlowRefused("N11", f"'{self.principal}' has no right to do that with key {name}") from None
        except (exceptions.InvalidRequest, exceptions.InvalidPath):
            raise KeyGone(f"key {name} is gone, or what was given was not wrapped under it") from None
        except (exceptions.VaultError, requests.RequestException):
            raise DependencyUnreachable("the key service cannot be reached; nothing was lost, run again") from None


def _parts(name: str) -> list[str]:
    """The transit keys that a key consists of: a key-encryption key may have a receiving pair, which goes first."""
    return [name + _PAIR, name] if "." in name else [name]


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
