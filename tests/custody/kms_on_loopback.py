"""AWS KMS on loopback: moto's server over real HTTP, with what moto leaves out and our adapter needs.

Added: imported key material, Ed25519, key states that stop cryptography, and the principals' IAM policies, of which just
the conditions they use are understood. It stands in for AWS in tests of the adapter only.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from moto.core.exceptions import JsonRESTError
from moto.kms.models import kms_backends
from moto.kms.responses import KmsResponse
from moto.server import ThreadedMotoServer

from linkage.stack import kms_policy
from linkage.stack.principals import all_principals

ACCOUNT, REGION = "123456789012", "eu-west-2"
_CRYPTOGRAPHY = ("Encrypt", "Decrypt", "Sign", "GenerateMac", "GetPublicKey")
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
# AWS makes a new one of the size asked for at each request; that would take seconds here.
_WRAPPING = rsa.generate_private_key(65537, 2048)
_ED25519 = "ECC_NIST_EDWARDS25519"


def access_key(principal: str) -> str:
    """The access key id by which the server knows a principal."""
    return f"AKIA{principal.upper().replace('-', '0')}"


@contextmanager
def kms_on_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The server's address. Its keys go with it."""
    plain_action, plain_create = KmsResponse.call_action, KmsResponse.create_key
    people = {access_key(one.name): kms_policy.policy_of(one) for one in all_principals()}

    def call_action(self: KmsResponse) -> Any:
        asked, action = json.loads(self.body), str(self._get_action())
        try:
            _authorise(people, str(self.headers.get("Authorization", "")), action, asked)
            _require_usable(action, asked)
        except JsonRESTError as error:
            return 400, self.response_headers, error.get_body()
        return plain_action(self)

    def create_key(self: KmsResponse) -> str:
        asked = json.loads(self.body)
        if asked.get("KeySpec") != _ED25519:
            told = json.loads(plain_create(self))
            key = _backend().keys[told["KeyMetadata"]["KeyId"]]
            if asked.get("Origin") == "EXTERNAL":
                key.key_state, key.key_material = "PendingImport", None
            return json.dumps(key.to_dict())
        key = _backend().create_key("", "SIGN_VERIFY", "ECC_NIST_P256", "", asked["Tags"])
        key.private_key = _Ed25519Key()
        return json.dumps(key.to_dict())

    for name, method in (
        ("call_action", call_action),
        ("create_key", create_key),
        ("sign", _sign),
        ("get_parameters_for_import", _get_parameters_for_import),
        ("import_key_material", _import_key_material),
        ("delete_imported_key_material", _delete_imported_key_material),
    ):
        monkeypatch.setattr(KmsResponse, name, method, raising=False)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
        _backend().reset()


def state_of(name: str) -> str:
    """The state AWS would show of the key of that name."""
    return str(_key(f"alias/linkage/{name.replace('.', '/')}").key_state)


def material_of(name: str) -> bytes | None:
    """The key's material, as only the service knows it."""
    found: bytes | None = _key(f"alias/linkage/{name.replace('.', '/')}").key_material
    return found


def _get_parameters_for_import(self: KmsResponse) -> str:
    key = _external(self)
    public = _WRAPPING.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    token = base64.b64encode(key.id.encode()).decode()
    return json.dumps({"KeyId": key.arn, "ImportToken": token, "PublicKey": base64.b64encode(public).decode()})


def _import_key_material(self: KmsResponse) -> str:
    key, asked = _external(self), json.loads(self.body)
    if base64.b64decode(asked["ImportToken"]).decode() != key.id:
        raise JsonRESTError("InvalidImportTokenException", "not this key's token")
    material = _WRAPPING.decrypt(base64.b64decode(asked["EncryptedKeyMaterial"]), _OAEP)
    if len(material) != 32 or material != getattr(key, "first_material", material):
        raise JsonRESTError("IncorrectKeyMaterialException", "not the material this key had")
    key.key_material = key.first_material = material
    key.key_state = "Enabled"
    return json.dumps({})


def _delete_imported_key_material(self: KmsResponse) -> str:
    key = _external(self)
    key.key_material = None
    if key.key_state != "PendingDeletion":
        key.key_state = "PendingImport"
    return json.dumps({})


def _sign(self: KmsResponse) -> str:
    asked = json.loads(self.body)
    message = base64.b64decode(asked["Message"])
    if asked["MessageType"] != "RAW" or not 1 <= len(message) <= 4096:
        raise JsonRESTError("ValidationException", "1 to 4096 bytes")
    if asked["SigningAlgorithm"] != "ED25519_SHA_512":
        raise JsonRESTError("InvalidKeyUsageException", "an Ed25519 key")
    signature = _key(asked["KeyId"]).private_key.sign(message)
    return json.dumps({"Signature": base64.b64encode(signature).decode()})


class _Ed25519Key:
    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def public_key(self) -> bytes:
        try:
            return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        except UnsupportedAlgorithm:  # pragma: no cover
            raise JsonRESTError("InternalFailure", "no Ed25519 here") from None


def _backend() -> Any:
    return kms_backends[ACCOUNT][REGION]


def _key(key_id: str) -> Any:
    backend = _backend()
    known = backend.get_key_id_from_alias(key_id) if key_id.startswith("alias/") else key_id
    found = backend.keys.get(backend.get_key_id(known)) if known else None
    if found is None:
        raise JsonRESTError("NotFoundException", f"no key {key_id}")
    return found


def _external(response: KmsResponse) -> Any:
    key = _key(json.loads(response.body)["KeyId"])
    if key.origin != "EXTERNAL":
        raise JsonRESTError("UnsupportedOperationException", "not an imported key")
    return key


def _require_usable(action: str, asked: dict[str, Any]) -> None:
    if action in _CRYPTOGRAPHY:
        state = _key(asked["KeyId"]).key_state
        if state == "Disabled":
            raise JsonRESTError("DisabledException", "the key is disabled")
        if state != "Enabled":
            raise JsonRESTError("KMSInvalidStateException", f"the key is {state}")
    if action == "Decrypt" and base64.b64decode(asked["CiphertextBlob"])[:36] != _key(asked["KeyId"]).id.encode():
        raise JsonRESTError("IncorrectKeyException", "wrapped under another key")


def _authorise(people: dict[str, Any], header: str, action: str, asked: dict[str, Any]) -> None:
    """Allow what some statement of the caller's policy allows; as in IAM, nothing else."""
    who = re.search(r"Credential=([^/]+)/", header)
    policy = people.get(who.group(1)) if who else None
    if policy is None:
        raise JsonRESTError("UnrecognizedClientException", "unknown")
    needed = [action, "TagResource"] if action == "CreateKey" else [action]
    for one in needed:
        places = [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/x"]
        if one == "CreateAlias":
            places.append(f"arn:aws:kms:{REGION}:{ACCOUNT}:{asked['AliasName']}")
        for place in places:
            if not any(_allows(statement, one, place, asked) for statement in policy["Statement"]):
                raise JsonRESTError("AccessDeniedException", f"{one} is not allowed")


def _allows(statement: dict[str, Any], action: str, place: str, asked: dict[str, Any]) -> bool:
    if f"kms:{action}" not in statement["Action"] or not fnmatchcase(place, statement["Resource"]):
        return False
    target = asked.get("KeyId") or asked.get("TargetKeyId")
    tags = {}
    if target is not None:
        try:
            tags = {tag["TagKey"]: tag["TagValue"] for tag in _backend().list_resource_tags(_key(target).id)["Tags"]}
        except JsonRESTError:
            return True  # the key does not exist: the answer is NotFound, not a refusal
    context = {f"aws:ResourceTag/{name}": value for name, value in tags.items()}
    context |= {f"aws:RequestTag/{tag['TagKey']}": tag["TagValue"] for tag in asked.get("Tags", [])}
    return all(
        _holds(operator, name, wanted, context, [tag["TagKey"] for tag in asked.get("Tags", [])])
        for operator, tests in statement.get("Condition", {}).items()
        for name, wanted in tests.items()
    )


def _holds(operator: str, name: str, wanted: Any, context: dict[str, str], tag_keys: list[str]) -> bool:
    if operator == "StringLike":
        return name in context and fnmatchcase(context[name], wanted)
    if operator == "Null":
        return (name not in context) == (wanted == "true")
    assert (operator, name) == ("ForAllValues:StringEquals", "aws:TagKeys"), "a condition this does not understand"
    return set(tag_keys) <= set(wanted)
