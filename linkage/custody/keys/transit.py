"""OpenBao or Vault: the transit engine as one principal, by its token."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from linkage import settings
from linkage.custody.keys.protocol import KeyGone, Kind
from linkage.custody.keys.signatures import signed_bytes, verify_with
from linkage.custody.stores import credentials
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused


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

    def unwrap(self, kek: str, wrapped: str, bound_to: str) -> bytes:
        """See KeyService."""
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
        if self.key_exists(name):
            self._write(f"keys/{name}/config", deletion_allowed=True)
            self._call(lambda: self._client.delete(f"transit/keys/{name}"), name)
        if self.key_exists(name):
            raise CheckFailed(f"key {name} still exists after its destruction (D7)")

    def key_exists(self, name: str) -> bool:
        """See KeyService."""
        return self._read(name) is not None

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


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
