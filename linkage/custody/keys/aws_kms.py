"""AWS KMS with imported key material: the only kind whose deletion is immediate (D8).

`ScheduleKeyDeletion` waits 7 to 30 days. `DeleteImportedKeyMaterial` does not, but works on keys of origin EXTERNAL alone;
so each key-encryption key is 32 random bytes made here, wrapped for the import and forgotten. What is left afterwards is
a key without material, whose deletion is pending: `remains` says so, and nothing calls it destroyed before that.
"""

from __future__ import annotations

import base64
import os
import secrets
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from linkage import settings
from linkage.custody.keys.protocol import KeyGone, Kind, not_made_yet
from linkage.custody.keys.receiving import ReceivingKey
from linkage.custody.keys.signatures import signed_bytes, verify_with
from linkage.custody.stores import credentials
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused, Misuse

NAME_TAG = "linkage-name"
"""Every key carries its name in this tag; the principals' IAM policies go by it."""
ENDED_TAG = "linkage-material"
_PENDING_DAYS = 7
_SPECS = {"ed25519": ("SIGN_VERIFY", "ECC_NIST_EDWARDS25519"), "hmac": ("GENERATE_VERIFY_MAC", "HMAC_256")}
# KMS is eventually consistent: what was just done may show after seconds.
_TRIES, _PAUSE = 20, 0.5
_GONE = {"NotFoundException", "InvalidCiphertextException", "IncorrectKeyException"}
_UNREADY = {"KMSInvalidStateException", "DisabledException"}
_REFUSED = {"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "AccessDenied"}


class AwsKms:
    """See KeyService. Keys are found by alias `alias/linkage/<store>/<yyyymmdd>` or `alias/linkage/sign-<principal>`."""

    def __init__(self, principal: str) -> None:
        from botocore.config import Config

        conf, told = settings.load(), credentials.load(principal)
        self.principal = principal
        self._client = _session(os.getpid()).client(
            "kms",
            endpoint_url=conf.kms_endpoint or None,
            region_name=conf.kms_region,
            # Without keys of its own a principal is whoever the machine's role says it is.
            aws_access_key_id=told.kms_access_key,
            aws_secret_access_key=told.kms_secret_key,
            config=Config(retries={"max_attempts": 4, "mode": "standard"}, connect_timeout=5, read_timeout=30),
        )
        self._public: dict[str, bytes] = {}

    def make_kek(self, kek: str) -> None:
        """See KeyService. Resumable: key, alias, then material, so that a name never leads to two materials."""
        found = self._found(kek)
        if found is None:
            found = self._create(kek, Origin="EXTERNAL", KeySpec="SYMMETRIC_DEFAULT", KeyUsage="ENCRYPT_DECRYPT")
        if found["KeyState"] == "PendingImport" and not self._ended(found["KeyId"], kek):
            self._import(found["KeyId"], kek)
            found = self._await(kek, "Enabled")
        if found["KeyState"] != "Enabled":
            raise KeyGone(f"key {kek} was destroyed and never comes back")

    def create_key(self, name: str, kind: Kind) -> None:
        """See KeyService."""
        if self._found(name) is None:
            usage, spec = _SPECS[kind]
            self._create(name, KeySpec=spec, KeyUsage=usage)

    def wrap(self, kek: str, plaintext: bytes, bound_to: str) -> str:
        """See KeyService. The store's own key is made on the way; a recipient makes its keys before others send."""
        what = {"KeyId": _alias(kek), "Plaintext": plaintext, "EncryptionContext": {"bound-to": bound_to}}
        try:
            told = self._call("encrypt", kek, **what)
        except KeyGone:
            if kek.split(".", 1)[0] != self.principal:
                raise not_made_yet(kek) from None
            self.make_kek(kek)
            told = self._call("encrypt", kek, **what)
        return base64.b64encode(told["CiphertextBlob"]).decode("ascii")

    def receiving_key(self, kek: str) -> ReceivingKey:
        """See KeyService. Not here: the keys whose material can be deleted at once (D8) are made symmetric."""
        raise Misuse(f"AWS KMS publishes no receiving key for {kek}: between sites use OpenBao or an HSM")

    def unwrap(self, kek: str, wrapped: str, bound_to: str) -> bytes:
        """See KeyService."""
        blob = _decoded(kek, wrapped)
        told = self._call(
            "decrypt", kek, KeyId=_alias(kek), CiphertextBlob=blob, EncryptionContext={"bound-to": bound_to}
        )
        return bytes(told["Plaintext"])

    def destroy_key(self, name: str) -> None:
        """See KeyService: the material goes at once and is seen to be gone; only then the empty key is left to expire.

        A deletion that somebody scheduled while the material was still there is taken back first, for such a deletion
        can be cancelled by anyone who may.
        """
        found = self._found(name)
        if found is None:
            return
        key, state = found["KeyId"], found["KeyState"]
        if self._ended(key, name):
            if state == "PendingDeletion":
                return
        else:
            if state == "PendingDeletion":
                self._call("cancel_key_deletion", name, KeyId=key)
            if state != "PendingImport":
                self._call("delete_imported_key_material", name, KeyId=key)
            self._await(name, "PendingImport")
            self._call("tag_resource", name, KeyId=key, Tags=[{"TagKey": ENDED_TAG, "TagValue": "deleted"}])
        self._call("schedule_key_deletion", name, KeyId=key, PendingWindowInDays=_PENDING_DAYS)

    def key_exists(self, name: str) -> bool:
        """See KeyService. A key counts until its material was seen to be gone: a pending deletion alone is a promise."""
        found = self._found(name)
        if found is None:
            return False
        return not (found["KeyState"] in ("PendingImport", "PendingDeletion") and self._ended(found["KeyId"], name))

    def remains(self, name: str) -> str | None:
        """See KeyService."""
        found = self._found(name)
        if found is None or found["KeyState"] != "PendingDeletion":
            return None
        until = f"{found['DeletionDate']:%Y-%m-%d}" if found.get("DeletionDate") else "its date"
        return f"the empty key entry, without key material, is pending deletion at AWS KMS until {until}"

    def sign(self, name: str, message: bytes) -> bytes:
        """See KeyService."""
        told = self._call(
            "sign",
            name,
            KeyId=_alias(name),
            Message=signed_bytes(message),
            MessageType="RAW",
            SigningAlgorithm="ED25519_SHA_512",
        )
        return bytes(told["Signature"])

    def public_key(self, name: str) -> bytes:
        """See KeyService. Kept for the process: signing keys are not rotated in place."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        if name not in self._public:
            told = self._call("get_public_key", name, KeyId=_alias(name))
            key = load_der_public_key(told["PublicKey"])
            if not isinstance(key, Ed25519PublicKey):
                raise CheckFailed(f"key {name} is not an Ed25519 key")
            self._public[name] = key.public_bytes_raw()
        return self._public[name]

    def verify(self, name: str, message: bytes, signature: bytes) -> bool:
        """See KeyService. Checked here, so that the key service need not be trusted for it."""
        return verify_with(self.public_key(name), message, signature)

    def hmac(self, name: str, message: bytes) -> bytes:
        """See KeyService."""
        told = self._call("generate_mac", name, KeyId=_alias(name), Message=message, MacAlgorithm="HMAC_SHA_256")
        return bytes(told["Mac"])

    def _create(self, name: str, **what: str) -> Mapping[str, Any]:
        tags = [{"TagKey": NAME_TAG, "TagValue": name}]
        made = self._call("create_key", name, Tags=tags, **what)["KeyMetadata"]
        try:
            self._call("create_alias", name, AliasName=_alias(name), TargetKeyId=made["KeyId"])
        except _Taken:
            # Somebody else was quicker: ours has nothing under it.
            self._call("schedule_key_deletion", name, KeyId=made["KeyId"], PendingWindowInDays=_PENDING_DAYS)
        return self._await(name)

    def _import(self, key: str, name: str) -> None:
        """Random material, straight from memory into the service under the key it gives for that (RSAES-OAEP-SHA-256)."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        told = self._call(
            "get_parameters_for_import",
            name,
            KeyId=key,
            WrappingAlgorithm="RSAES_OAEP_SHA_256",
            WrappingKeySpec="RSA_4096",
        )
        public = load_der_public_key(told["PublicKey"])
        if not isinstance(public, RSAPublicKey):
            raise CheckFailed("the key service gave no RSA key for the import")
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        self._call(
            "import_key_material",
            name,
            KeyId=key,
            ImportToken=told["ImportToken"],
            EncryptedKeyMaterial=public.encrypt(secrets.token_bytes(32), oaep),
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        )

    def _found(self, name: str) -> Mapping[str, Any] | None:
        try:
            told: Mapping[str, Any] = self._call("describe_key", name, KeyId=_alias(name))["KeyMetadata"]
        except KeyGone:
            return None
        return told

    def _ended(self, key: str, name: str) -> bool:
        tags = self._call("list_resource_tags", name, KeyId=key)["Tags"]
        return any(tag["TagKey"] == ENDED_TAG for tag in tags)

    def _await(self, name: str, state: str | None = None) -> Mapping[str, Any]:
        for _ in range(_TRIES):
            found = self._found(name)
            if found is not None and state in (None, found["KeyState"]):
                return found
            time.sleep(_PAUSE)
        raise CheckFailed(f"key {name} does not show as {state or 'there'} (D7)")

    def _call(self, action: str, name: str, **arguments: Any) -> Any:
        """Run a request and turn its failures into ours; the service's messages are not passed on."""
        from botocore import exceptions

        request: Callable[..., Any] = getattr(self._client, action)
        try:
            return request(**arguments)
        except exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
        except (exceptions.BotoCoreError, OSError):
            raise _unreachable() from None
        raise self._told(code, action, name) from None

    def _told(self, code: str, action: str, name: str) -> Exception:
        if code in _REFUSED:
            return FlowRefused("N11", f"'{self.principal}' has no right to do that with key {name}")
        if code == "AlreadyExistsException":
            return _Taken(f"key {name} exists already")
        if code in _UNREADY and action in ("encrypt", "decrypt") and self.key_exists(name):
            # Disabled is not destroyed: it can be enabled again (D8).
            return CheckFailed(f"key {name} is disabled or not ready, which is not destroyed (D8)")
        if code in _GONE | _UNREADY:
            return KeyGone(f"key {name} is gone, or what was given was not wrapped under it")
        if code == "IncorrectKeyMaterialException":
            return KeyGone(f"key {name} was destroyed and never comes back")
        if code in (
            "ThrottlingException",
            "KMSInternalException",
            "DependencyTimeoutException",
            "LimitExceededException",
        ):
            return _unreachable()
        return CheckFailed(f"the key service refused a request for key {name}: {code}")


@lru_cache(maxsize=1)
def _session(_process: int) -> Any:
    """One session for all principals: it carries no credentials, only the loaded service model."""
    import boto3

    return boto3.session.Session()


class _Taken(CheckFailed):
    """The alias is already there."""


def _alias(name: str) -> str:
    return f"alias/linkage/{name.replace('.', '/')}"


def _decoded(kek: str, wrapped: str) -> bytes:
    try:
        return base64.b64decode(wrapped, validate=True)
    except ValueError:
        raise KeyGone(f"what was given was not wrapped under key {kek}") from None


def _unreachable() -> DependencyUnreachable:
    return DependencyUnreachable("the key service cannot be reached; nothing was lost, run again")
