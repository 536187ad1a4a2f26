"""One narrow IAM policy per principal for AWS KMS, from the same table as every other credential (N3, N11).

A key says its own name in a tag, and the policies go by it: `dwp.20221031` belongs to `dwp`. A key's name cannot be changed:
it is given with its creation, to a key that has none yet.
"""

from __future__ import annotations

from typing import Any

from linkage.custody.keys.aws_kms import ENDED_TAG, NAME_TAG
from linkage.stack.bao import ROOT_KEYS
from linkage.stack.principals import Principal

_USE = ("Encrypt", "Decrypt", "DescribeKey", "ListResourceTags")
_END = ("DeleteImportedKeyMaterial", "ScheduleKeyDeletion", "CancelKeyDeletion")
_IMPORT = ("GetParametersForImport", "ImportKeyMaterial")
_KEYS = "arn:aws:kms:*:*:key/*"


def policy_of(principal: Principal) -> dict[str, Any]:
    """A principal's IAM policy for KMS; the same promises as `bao.policy_of`.

    A store makes, uses and ends its own keys; those it sends to it may wrap for, never unwrap; a verifier may look and TRY
    to decrypt (D7); public halves of signing keys are everybody's; the linkage root key answers to the
    authorities, of which one makes it.
    """
    told = [_on("sign-*", "GetPublicKey", "DescribeKey"), _on(principal.signing_key, "Sign", "DescribeKey")]
    told += _making(principal.signing_key)
    for store in principal.owns:
        told += [_on(f"{store}.*", *_USE, *_END, *_IMPORT), *_making(f"{store}.*"), _ending(f"{store}.*")]
    told += [_on(f"{store}.*", "Encrypt") for store in principal.wraps_for]
    told += [_on(f"{store}.*", "Decrypt", "DescribeKey", "ListResourceTags") for store in principal.verifies]
    if principal.uses_root_key:
        told.append(_on(ROOT_KEYS, "GenerateMac", "DescribeKey"))
    if principal.makes_root_key:
        told += _making(ROOT_KEYS)
    return {"Version": "2012-10-17", "Statement": told}


def _on(name: str, *actions: str) -> dict[str, Any]:
    """These actions on keys whose name is like that."""
    return _allow(actions, _KEYS, {"StringLike": {f"aws:ResourceTag/{NAME_TAG}": name}})


def _making(name: str) -> list[dict[str, Any]]:
    """Making keys of that name: only a key that has no name yet may be given one."""
    asked = {"StringLike": {f"aws:RequestTag/{NAME_TAG}": name}}
    nameless = {"Null": {f"aws:ResourceTag/{NAME_TAG}": "true"}}
    return [
        _allow(["CreateKey"], "*", asked),
        _allow(["TagResource"], _KEYS, asked | nameless),
        _on(name, "CreateAlias"),
        _allow(["CreateAlias"], f"arn:aws:kms:*:*:alias/linkage/{name.replace('.', '/')}", {}),
    ]


def _ending(name: str) -> dict[str, Any]:
    """Noting on a key that its material is gone, and nothing else."""
    like = {"StringLike": {f"aws:ResourceTag/{NAME_TAG}": name}}
    return _allow(["TagResource"], _KEYS, like | {"ForAllValues:StringEquals": {"aws:TagKeys": [ENDED_TAG]}})


def _allow(actions: tuple[str, ...] | list[str], resource: str, condition: dict[str, Any]) -> dict[str, Any]:
    told = {"Effect": "Allow", "Action": [f"kms:{action}" for action in actions], "Resource": resource}
    return told | ({"Condition": condition} if condition else {})
